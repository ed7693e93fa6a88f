import type { Check, Finding } from "../../doctor/check.js";
import { versionOf } from "./access.js";
import type { RedisPatient } from "./patient.js";
import { perServer } from "./perServer.js";
import { type Probe, type Purpose, purposes } from "./rights.js";
import { isAnswer, isRefused, type Server } from "./server.js";

/**
 * Whether the user may do what this package does. The commands themselves are sent, on keys that do not exist: unlike ACL DRYRUN and
 * ACL GETUSER that takes no right of an administrator, works on every version, and tells renamed commands as well.
 */
export const permissionsCheck: Check<RedisPatient> = {
  id: "redis.permissions",
  title: "rights of the user",
  needs: ["redis.login"],
  run: (patient) =>
    perServer(patient, async (server) => {
      const { mode, name } = patient.config;
      const major = await majorOf(server);
      const wanted = purposes({ cluster: mode === "cluster", major, named: name !== undefined });
      const user = await usernameOf(patient, server);
      const missing = await server.apart((connection) => missingRights(connection, wanted));
      const findings = wanted.flatMap((purpose) => refusal(purpose, missing, user));
      return findings.length > 0 ? findings : [{ verdict: "ok", saw: `${user} may do all that this package does` }];
    }),
};

/** Where INFO is refused the version is unknown: what every version has is asked. */
async function majorOf(server: Server): Promise<number> {
  return server.info().then(
    (info) => versionOf(info)[0],
    () => 0,
  );
}

/** The name that ACL SETUSER has to be given. */
async function usernameOf(patient: RedisPatient, server: Server): Promise<string> {
  const asked = await server.ask("ACL", "WHOAMI").catch(() => undefined);
  if (typeof asked === "string") return quoted(asked);
  return quoted(patient.username ?? "default");
}

function quoted(name: string): string {
  return /^[\w.@-]+$/.test(name) ? name : JSON.stringify(name);
}

/** What ACL SETUSER has to add for the probe to pass; `unknown` where the server has no such command. */
type Missing = { readonly rule: string } | "unknown";

/** Subscribing comes last and in order, since it changes what the connection may do. */
async function missingRights(connection: Server, wanted: readonly Purpose[]): Promise<ReadonlyMap<string, Missing>> {
  const missing = new Map<string, Missing>();
  const all = wanted.flatMap(({ probes }) => probes);
  const [subscribing, others] = [all.filter(isSubscribing), all.filter((probe) => !isSubscribing(probe))];
  const note = async (probe: Probe) => {
    const answer = await ask(connection, probe);
    if (answer) missing.set(keyOf(probe), answer);
  };
  await Promise.all(others.map(note));
  for (const probe of subscribing) await note(probe);
  return missing;
}

function isSubscribing({ command }: Probe): boolean {
  return /^s?(un)?subscribe$/.test(command);
}

function keyOf({ command, keys }: Probe): string {
  return `${command} ${keys ?? ""}`;
}

async function ask(connection: Server, probe: Probe): Promise<Missing | undefined> {
  try {
    await connection.ask(...probe.send);
    return undefined;
  } catch (error) {
    if (isRefused(error)) return { rule: ruleFor(probe, (error as Error).message) };
    if (/unknown command/i.test((error as Error).message)) return "unknown";
    // Any other answer: the command was let through, and had nothing to work on.
    if (!isAnswer(error)) throw error;
    return undefined;
  }
}

/** Redis tells which of the three it was in words only, and in other words in each version. */
function ruleFor({ command, keys }: Probe, message: string): string {
  if (/\bchannels?\b/i.test(message)) return "&*";
  if (keys && /\bkeys?\b/i.test(message)) return keys;
  return `+${command}`;
}

function refusal({ name, verdict, probes }: Purpose, missing: ReadonlyMap<string, Missing>, user: string): Finding[] {
  const found = probes.flatMap((probe) => missing.get(keyOf(probe)) ?? []);
  const rules = [...new Set(found.flatMap((each) => (each === "unknown" ? [] : each.rule)))];
  const unknown = probes.filter((probe) => missing.get(keyOf(probe)) === "unknown").map(({ command }) => command);
  const findings: Finding[] = [];
  if (rules.length > 0)
    findings.push({
      verdict,
      saw: `${user} lacks ${rules.join(" ")} for ${name}`,
      advice: `As an administrator, on each server: ACL SETUSER ${user} ${rules.join(" ")} (then ACL SAVE or CONFIG REWRITE, so that it lasts)`,
    });
  if (unknown.length > 0)
    findings.push({
      verdict,
      saw: `the server has no command ${unknown.join(", ")}, needed for ${name}`,
      advice: "Undo its renaming (rename-command), or use a server that has it",
    });
  return findings;
}
