import { checkMeetingId } from "../../ids.js";
import { ROOM_STREAM_PREFIX } from "../input.js";
import { isWithheld, type Server } from "./server.js";

/** How many keys SCAN looks at in one step, and in how many steps at most. */
const STEP = 500;
const MAX_STEPS = 20;
/** Names that look like streams of meetings, ours or nearly; SCAN compares them on the server. */
const PATTERN = "*[rR][oO][oO][mM]*[sS][tT][rR][eE][aA][mM]*";
/** Of so many streams, at most, type and expiry are looked at. */
const MAX_LOOKED_AT = 100;

/** A key that is named as a meeting's stream is. */
export interface SampledStream {
  readonly key: string;
  /** As TYPE says, such as `stream`; `none` when it is gone meanwhile. */
  readonly type: string;
  /** Milliseconds to live; -1: for ever. */
  readonly ttlMs: number;
}

/** Keys of one master. */
export interface Sample {
  readonly server: Server;
  /** Whether these are all there are. */
  readonly whole: boolean;
  readonly streams: readonly SampledStream[];
  /** Keys that nobody reads: named nearly as streams are. */
  readonly odd: readonly string[];
  /** Why there is no sample. */
  readonly refused?: string;
}

/** A bounded look at each master's keys, whatever their number. @throws RedisCommandError */
export async function sampleStreams(servers: readonly Server[], forMs: number): Promise<readonly Sample[]> {
  const samples = await Promise.all(servers.map((server) => sampleOf(server, forMs)));
  return samples.flatMap((sample) => sample ?? []);
}

/** Undefined for a replica: its keys are its master's. */
async function sampleOf(server: Server, forMs: number): Promise<Sample | undefined> {
  try {
    if ((await server.info()).get("role") === "slave") return undefined;
    const { keys, whole } = await scan(server, performance.now() + forMs);
    const ours = keys.filter(isStreamKey);
    const streams = await Promise.all(ours.slice(0, MAX_LOOKED_AT).map((key) => lookAt(server, key)));
    return { server, whole, streams, odd: keys.filter(isOdd) };
  } catch (error) {
    if (!isWithheld(error)) throw error;
    return { server, whole: false, streams: [], odd: [], refused: (error as Error).message };
  }
}

async function scan(server: Server, until: number): Promise<{ readonly keys: string[]; readonly whole: boolean }> {
  const keys = new Set<string>();
  let cursor = "0";
  for (let step = 0; step < MAX_STEPS && performance.now() < until; step += 1) {
    const [next, found] = await scanStep(server, cursor, PATTERN, STEP);
    for (const key of found) keys.add(key);
    cursor = next;
    if (cursor === "0") return { keys: [...keys], whole: true };
  }
  return { keys: [...keys], whole: false };
}

export function scanStep(server: Server, cursor: string, pattern: string, count: number) {
  return server.ask("SCAN", cursor, "MATCH", pattern, "COUNT", count) as Promise<[cursor: string, keys: string[]]>;
}

async function lookAt(server: Server, key: string): Promise<SampledStream> {
  const [type, ttlMs] = await Promise.all([server.ask("TYPE", key), server.ask("PTTL", key)]);
  return { key, type: String(type), ttlMs: Number(ttlMs) };
}

/** Whether it is the stream of a meeting, by name. */
export function isStreamKey(key: string): boolean {
  if (!key.startsWith(ROOM_STREAM_PREFIX)) return false;
  try {
    checkMeetingId("id", key.slice(ROOM_STREAM_PREFIX.length));
    return true;
  } catch {
    return false;
  }
}

/** What this package keeps beside a stream. */
const BESIDE = /^\{room-stream:[^{}]+\}:(requests(:earlier)?|dead:.+)$/s;
/** What somebody may have meant to be one. */
const NEARLY = /^\W*room\W{0,2}_?stream/i;

function isOdd(key: string): boolean {
  return NEARLY.test(key) && !isStreamKey(key) && !BESIDE.test(key);
}
