import type { Check, Finding } from "../../doctor/check.js";
import type { RedisPatient } from "./patient.js";
import { perServer } from "./perServer.js";
import { isWithheld, type Server } from "./server.js";

const needs = ["redis.login"];

/** Settings of the servers that what we do depends on. */
export const settingsChecks: readonly Check<RedisPatient>[] = [
  { id: "redis.notifications", title: "keyspace notifications", needs, run: notifications },
  { id: "redis.scripts", title: "scripts", needs, run: (patient) => perServer(patient, scripts) },
  { id: "redis.clock", title: "clock", needs, run: (patient) => perServer(patient, clock) },
  { id: "redis.connections", title: "connections", needs, run: (patient) => perServer(patient, connections) },
  { id: "redis.timeout", title: "idle connections", needs, run: (patient) => perServer(patient, idleTimeout) },
];

const NOTIFY = "notify-keyspace-events";
/** A key's events (`K`), stream commands among them (`t`, which `A` includes); as following asks for them. */
const NEEDED = "Kt";

function notifications(patient: RedisPatient): Promise<readonly Finding[]> {
  return perServer(patient, async (server) => {
    const flags = await setting(server, NOTIFY);
    if (flags === undefined)
      return {
        verdict: "skipped",
        saw: `this user may not ask for ${NOTIFY}`,
        advice: `See as an administrator that it has ${NEEDED}; without, signals arrive with the sweep (REDIS_FOLLOW_SWEEP_INTERVAL_IN_SECS)`,
      };
    if (isEnough(flags)) return { verdict: "ok", saw: `${NOTIFY} is "${flags}"` };
    return lacking(server, flags, patient.config.enableNotifications);
  });
}

function isEnough(flags: string): boolean {
  return flags.includes("K") && /[tA]/.test(flags);
}

async function lacking(server: Server, flags: string, enabling: boolean): Promise<Finding> {
  const settable = await maySet(server);
  const saw = `${NOTIFY} is "${flags}" and lacks ${NEEDED}`;
  const advice = `set it as an administrator on each server and in redis.conf: CONFIG SET ${NOTIFY} ${flags}${NEEDED}`;
  if (!settable)
    return { verdict: "failed", saw: `${saw}: signals arrive only with the sweep`, advice: `Have someone ${advice}` };
  const fix = async () => {
    // Asked anew, so that what others have set meanwhile stays.
    const now = (await setting(server, NOTIFY)) ?? flags;
    if (!isEnough(now)) await server.ask("CONFIG", "SET", NOTIFY, now + NEEDED);
    return `${server.name}: ${NOTIFY} set from "${now}" to "${now}${NEEDED}" (until the server's restart, unless redis.conf has it)`;
  };
  const late = enabling
    ? "; the first process that follows meetings switches them on"
    : " and REDIS_FOLLOW_ENABLE_NOTIFICATIONS is false: signals arrive only with the sweep";
  return {
    verdict: enabling ? "warning" : "failed",
    saw: `${saw}${late}`,
    advice: `Run the doctor with --fix, or ${advice}`,
    fix,
  };
}

/** A setting that no server has: refused as such only where CONFIG SET is allowed. */
async function maySet(server: Server): Promise<boolean> {
  try {
    await server.ask("CONFIG", "SET", "doordarshan-doctor", "1");
    return false;
  } catch (error) {
    return /unknown option|unsupported config/i.test((error as Error).message);
  }
}

/** Undefined where CONFIG GET is refused, as on many managed servers, or the setting does not exist. */
async function setting(server: Server, name: string): Promise<string | undefined> {
  try {
    const [, value] = (await server.ask("CONFIG", "GET", name)) as string[];
    return value;
  } catch (error) {
    if (isWithheld(error) || /unknown subcommand/i.test((error as Error).message)) return undefined;
    throw error;
  }
}

async function scripts(server: Server): Promise<Finding> {
  try {
    await server.ask("EVAL", "return 1", "0");
    return { verdict: "ok", saw: "EVAL is allowed" };
  } catch (error) {
    if (!isWithheld(error)) throw error;
    return {
      verdict: "warning",
      saw: `EVAL is not allowed (${(error as Error).message}): no idempotent publishing, no dead letters`,
      advice: "Allow it (ACL SETUSER <user> +eval +evalsha; no rename-command), if you use either",
    };
  }
}

const SKEW_MS = 1_000;

/** The server's clock when it answered, half a round trip before the answer came. Entry ids are made from it. */
async function clock(server: Server): Promise<Finding> {
  const { info, askedAt, answeredAt } = await server.timedInfo();
  const serverUs = Number(info.get("server_time_usec"));
  if (!serverUs) return { verdict: "skipped", saw: "INFO does not tell the server's time" };
  const skewMs = Math.round(serverUs / 1_000 - (askedAt + answeredAt) / 2);
  const doubtMs = (answeredAt - askedAt) / 2;
  if (Math.abs(skewMs) - doubtMs < SKEW_MS) return { verdict: "ok", saw: `less than ${SKEW_MS} ms from ours` };
  const saw = `${Math.abs(skewMs)} ms ${skewMs > 0 ? "ahead of" : "behind"} ours`;
  const advice = "Have both machines follow the same time servers (NTP): entry ids and lag are made from this clock";
  return { verdict: "warning", saw, advice };
}

/** For commands, following (two) and subscriptions; as many processes as there are have as many each. */
const OURS = 4;
const NEARLY_ALL = 0.9;

async function connections(server: Server): Promise<Finding> {
  const info = await server.info();
  const [used, most] = [Number(info.get("connected_clients")), Number(info.get("maxclients"))];
  if (!most) return { verdict: "skipped", saw: "INFO does not tell maxclients" };
  const saw = `${used} of ${most} connections taken (maxclients)`;
  const advice = `Raise maxclients (CONFIG SET maxclients), or see in CLIENT LIST who has them; each process of this package takes up to ${OURS} a server`;
  if (used + OURS > most) return { verdict: "failed", saw, advice };
  if (used > most * NEARLY_ALL) return { verdict: "warning", saw, advice };
  return { verdict: "ok", saw: `less than ${NEARLY_ALL * 100} % of ${most} connections taken (maxclients)` };
}

async function idleTimeout(server: Server): Promise<Finding> {
  const seconds = Number(await setting(server, "timeout"));
  if (Number.isNaN(seconds)) return { verdict: "skipped", saw: "this user may not ask for timeout" };
  if (seconds === 0) return { verdict: "ok", saw: "timeout is 0: idle connections stay" };
  const saw = `timeout is ${seconds}: a connection idle for ${seconds} s is closed, and what is sent at that moment is unknown`;
  return { verdict: "warning", saw, advice: "CONFIG SET timeout 0 (tcp-keepalive finds clients that are gone)" };
}
