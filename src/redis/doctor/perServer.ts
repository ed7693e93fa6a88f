import type { Finding } from "../../doctor/check.js";
import { RedisCommandError } from "../../errors.js";
import type { RedisPatient } from "./patient.js";
import { adviceOn, isWithheld, type Server } from "./server.js";

/** So many are named; of more, how many. */
const MAX_NAMED = 5;

/**
 * Looks at each server that let us in, side by side; servers that are alike share one finding, which names them.
 * What a server refuses to tell is skipped; one that is lost meanwhile has failed.
 */
export async function perServer(
  patient: RedisPatient,
  judge: (server: Server) => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  const servers = await patient.servers();
  const judged = await Promise.all(servers.map((server) => judgedOf(patient, server, judge)));
  const groups = new Map<string, { readonly finding: Finding; readonly of: Server[]; readonly fixes: Fix[] }>();
  judged.flat().forEach(({ server, finding }) => {
    const key = JSON.stringify([finding.verdict, finding.saw, finding.advice]);
    const group = groups.get(key) ?? { finding, of: [], fixes: [] };
    groups.set(key, group);
    group.of.push(server);
    if (finding.fix) group.fixes.push(finding.fix);
  });
  return [...groups.values()].map(({ finding, of, fixes }) => {
    const saw = `${whichOf(of, servers)}: ${finding.saw}`;
    return { ...finding, saw, ...(fixes.length > 0 && { fix: () => fixAll(fixes) }) };
  });
}

type Fix = NonNullable<Finding["fix"]>;

async function judgedOf(
  patient: RedisPatient,
  server: Server,
  judge: (server: Server) => Promise<Finding | readonly Finding[]>,
): Promise<{ readonly server: Server; readonly finding: Finding }[]> {
  try {
    return [await judge(server)].flat().map((finding) => ({ server, finding }));
  } catch (error) {
    return [{ server, finding: failure(error, patient.config.tls !== undefined) }];
  }
}

/** The finding for what a server answered, or did not answer, instead of what was asked for. */
function failure(error: unknown, tls: boolean): Finding {
  if (!(error instanceof RedisCommandError)) throw error;
  if (isWithheld(error)) return notTold(error);
  return { verdict: "failed", saw: error.message, advice: adviceOn(error, tls) };
}

function notTold(error: RedisCommandError): Finding {
  return {
    verdict: "skipped",
    saw: `not to be seen by this user (${error.message})`,
    advice: "Run the doctor as a user who may, if you want to know; redis.permissions tells what the service lacks",
  };
}

async function fixAll(fixes: readonly Fix[]): Promise<string> {
  const done: string[] = [];
  for (const fix of fixes) done.push(await fix());
  return done.join("; ");
}

function whichOf(of: readonly Server[], all: readonly Server[]): string {
  if (of.length === all.length && all.length > 1) return `all ${all.length} servers`;
  return list(of.map(({ name }) => name));
}

/** The first few, and how many more there are. */
export function list(texts: readonly string[]): string {
  const named = texts.slice(0, MAX_NAMED).join(", ");
  return texts.length > MAX_NAMED ? `${named} and ${texts.length - MAX_NAMED} more` : named;
}
