import type { Check, Finding } from "../../doctor/check.js";
import { ROOM_STREAM_PREFIX } from "../input.js";
import { type RawEntry, toEvent } from "../signals/events.js";
import type { RedisPatient } from "./patient.js";
import { list } from "./perServer.js";
import { isStreamKey, type Sample, type SampledStream, scanStep } from "./sample.js";
import { codeOf, isWithheld, type Server } from "./server.js";

const needs = ["redis.login"];

/** A sample of what is stored: names, expiries, and whether the last entries can be read. */
export const streamChecks: readonly Check<RedisPatient>[] = [
  { id: "redis.keys", title: "names of streams (a sample)", needs, run: (patient) => overSamples(patient, names) },
  { id: "redis.expiry", title: "streams expire (a sample)", needs, run: (patient) => overSamples(patient, expiries) },
  {
    id: "redis.messages",
    title: "form of signals (a sample)",
    needs,
    run: (patient) => overSamples(patient, messages),
  },
];

async function overSamples(
  patient: RedisPatient,
  judge: (samples: readonly Sample[], patient: RedisPatient) => readonly Finding[] | Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const samples = await samplesOf(patient);
  if (!samples) return [{ verdict: "skipped", saw: "the cluster is down, of which redis.cluster.state tells" }];
  const refused = samples.find((sample) => sample.refused !== undefined)?.refused;
  if (refused === undefined) return judge(samples, patient);
  const advice = "Run the doctor as a user with +scan +type +pttl +xrevrange ~room-stream:* to look at them";
  return [{ verdict: "skipped", saw: `streams may not be looked at by this user (${refused})`, advice }];
}

/** Undefined while the cluster answers no question about keys. */
async function samplesOf(patient: RedisPatient): Promise<readonly Sample[] | undefined> {
  try {
    return await patient.samples();
  } catch (error) {
    if (codeOf(error) === "CLUSTERDOWN") return undefined;
    throw error;
  }
}

function names(samples: readonly Sample[]): readonly Finding[] {
  const odd = samples.flatMap((sample) => sample.odd);
  const foreign = samples.flatMap(({ streams }) => streams).filter(({ type }) => type !== "stream" && type !== "none");
  const findings: Finding[] = [];
  if (odd.length > 0)
    findings.push({
      verdict: "warning",
      saw: `${odd.length} key(s) that no reader looks for: ${list(odd.map(quoted))}`,
      advice:
        "Have who writes them write to room-stream:<meeting id>, the id as it is: no braces, this case; then UNLINK them",
    });
  if (foreign.length > 0)
    findings.push({
      verdict: "failed",
      saw: `no streams, so publishing there is refused: ${list(foreign.map(({ key, type }) => `${quoted(key)} (${type})`))}`,
      advice: "Find out who writes them, and UNLINK them",
    });
  if (findings.length > 0) return findings;
  return [{ verdict: "ok", saw: `${countOf(samples)} named as they should be` }];
}

function quoted(key: string): string {
  return JSON.stringify(key.length > 100 ? `${key.slice(0, 100)}…` : key);
}

function countOf(samples: readonly Sample[]): string {
  const count = samples.reduce((sum, { streams }) => sum + streams.length, 0);
  return `${count} stream(s)${samples.every(({ whole }) => whole) ? "" : " of more keys than were looked at"}`;
}

function expiries(samples: readonly Sample[], patient: RedisPatient): readonly Finding[] {
  const immortal = samples.flatMap(({ server, streams }) =>
    streams.filter(staysForEver).map((stream) => ({ server, ...stream })),
  );
  if (immortal.length === 0) return [{ verdict: "ok", saw: `${countOf(samples)}, each with an expiry` }];
  const { streamTtlMs } = patient.config;
  const fix = async () => {
    const done = await Promise.all(samples.map(({ server }) => setExpiries(server, streamTtlMs)));
    patient.forgetSamples();
    return done.join("; ");
  };
  const saw = `streams without an expiry, which stay for ever: ${list(immortal.map(({ key }) => quoted(key)))}`;
  const advice = `Run the doctor with --fix: it gives each ${streamTtlMs / 3_600_000} h (REDIS_CLUSTER_TTL_IN_HOURS), which every publish through this package renews`;
  return [{ verdict: "warning", saw, advice, fix }];
}

function staysForEver({ type, ttlMs }: SampledStream): boolean {
  return type === "stream" && ttlMs === -1;
}

/** How long one run of it may take, in milliseconds, and how many keys SCAN looks at in one step. */
const FIX_WITHIN_MS = 20_000;
const FIX_STEP = 1_000;

/** Of every stream of a meeting on this server, not of the sample alone. */
async function setExpiries(server: Server, ttlMs: number): Promise<string> {
  const until = performance.now() + FIX_WITHIN_MS;
  let [cursor, given] = ["0", 0];
  do {
    const [next, found] = await scanStep(server, cursor, `${ROOM_STREAM_PREFIX}*`, FIX_STEP);
    const keys = found.filter(isStreamKey);
    given += (await Promise.all(keys.map((key) => setExpiry(server, key, ttlMs)))).filter(Boolean).length;
    cursor = next;
  } while (cursor !== "0" && performance.now() < until);
  const rest = cursor === "0" ? "" : "; not all keys were looked at in time, so run it again";
  return `${server.name}: ${given} stream(s) given an expiry of ${ttlMs / 3_600_000} h${rest}`;
}

async function setExpiry(server: Server, key: string, ttlMs: number): Promise<boolean> {
  const [type, left] = await Promise.all([server.ask("TYPE", key), server.ask("PTTL", key)]);
  return type === "stream" && left === -1 && (await server.ask("PEXPIRE", key, ttlMs)) === 1;
}

/** So many streams of a server, and of each so many of its last entries. */
const MAX_STREAMS = 20;
const LAST_ENTRIES = 5;

async function messages(samples: readonly Sample[]): Promise<readonly Finding[]> {
  const looked = samples.flatMap(({ server, streams }) =>
    streams
      .filter(({ type }) => type === "stream")
      .slice(0, MAX_STREAMS)
      .map(({ key }) => ({ server, key })),
  );
  try {
    const unread = (await Promise.all(looked.map(({ server, key }) => unrecognised(server, key)))).flat();
    if (unread.length === 0)
      return [{ verdict: "ok", saw: `the last entries of ${looked.length} stream(s) are signals` }];
    return [
      {
        verdict: "warning",
        saw: `entries that are no signals, and are delivered as unrecognised: ${list(unread)}`,
        advice: "Mend who writes them: docs/signals.md, On the wire, has the fields",
      },
    ];
  } catch (error) {
    if (!isWithheld(error)) throw error;
    return [{ verdict: "skipped", saw: `entries may not be read by this user (${(error as Error).message})` }];
  }
}

/** Stream, entry and reason of those that cannot be read; of what is in them, nothing. */
async function unrecognised(server: Server, key: string): Promise<string[]> {
  const entries = (await server.ask("XREVRANGE", key, "+", "-", "COUNT", LAST_ENTRIES)) as RawEntry[];
  const events = entries.map((entry) => toEvent(key.slice(ROOM_STREAM_PREFIX.length), entry));
  return events.flatMap((event) => {
    if (event.kind !== "unrecognised") return [];
    return `${quoted(key)} ${event.entryId} (${event.reason})`;
  });
}
