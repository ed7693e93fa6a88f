import { isServerError } from "../../driverErrors.js";
import type { Ask } from "../../following/room.js";
import { isBefore, START, streamInfo } from "../gap.js";

/** A consumer of a group of one stream. */
export interface Member {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

/** An entry that the group has given to this consumer. */
export interface GivenEntry {
  readonly id: string;
  /** Fields and values in turn; null when the entry was deleted or trimmed meanwhile. */
  readonly pairs: readonly string[] | null;
  /** How often it was given to a consumer, this time included. */
  readonly deliveries: number;
  /** Before this (`performance.now()`) it was certainly not idle. */
  readonly givenAt: number;
}

type GroupReply = readonly [stream: string, entries: readonly [id: string, pairs: string[] | null][]][] | null;

/** Entries that no consumer has been given yet. */
export async function takeNew(ask: Ask, member: Member, count: number): Promise<GivenEntry[]> {
  const givenAt = performance.now();
  const reply = (await ask("XREADGROUP", readArguments(member, count, ">"))) as GroupReply;
  return (reply?.[0]?.[1] ?? []).map(([id, pairs]) => ({ id, pairs, deliveries: 1, givenAt }));
}

/** The consumer's oldest entry that is not acknowledged, behind `after`. Being given it again counts, and renews its idle time. */
export async function takeAgain(ask: Ask, member: Member, after = START): Promise<GivenEntry | undefined> {
  const { stream, group } = member;
  const givenAt = performance.now();
  const reply = (await ask("XREADGROUP", readArguments(member, 1, after))) as GroupReply;
  const [id, pairs] = reply?.[0]?.[1][0] ?? [];
  if (id === undefined || pairs === undefined) return undefined;
  const [pending] = (await ask("XPENDING", [stream, group, id, id, 1])) as [string, string, number, number][];
  return { id, pairs, deliveries: Number(pending?.[3] ?? 1), givenAt };
}

function readArguments({ stream, group, consumer }: Member, count: number, after: string): (string | number)[] {
  return ["GROUP", group, consumer, "COUNT", count, "STREAMS", stream, after];
}

/**
 * Takes over entries that were given to somebody and idle for `minIdleMs`; by `JUSTID`, so that only being given them counts.
 * Redis 7 removes entries that no longer exist meanwhile; before that they are claimed like the others.
 */
export async function claimIdle(ask: Ask, member: Member, minIdleMs: number, cursor: string, count: number) {
  const { stream, group, consumer } = member;
  const args = [stream, group, consumer, minIdleMs, cursor, "COUNT", count, "JUSTID"];
  const [next, claimed] = (await ask("XAUTOCLAIM", args)) as [string, string[]];
  return { next, claimed: claimed.length };
}

/** Up to where every entry was acknowledged, by whichever consumer. */
export async function acknowledgedUpTo(ask: Ask, { stream, group }: Member): Promise<string | undefined> {
  const given = (await groupsOf(ask, stream)).find(({ name }) => name === group)?.lastDeliveredId;
  // Asked later, so that all it leaves out was acknowledged.
  const [, oldest] = (await ask("XPENDING", [stream, group])) as [number, string | null];
  if (given === undefined || oldest === null) return given;
  return isBefore(given, oldest) ? given : justBefore(oldest);
}

export interface GroupInfo {
  readonly name: string;
  readonly consumers: number;
  readonly pending: number;
  readonly lastDeliveredId: string;
  /** Entries that were not given to anyone yet; Redis 7 and later tell it, unless entries were deleted. */
  readonly lag: number | undefined;
}

/** Empty where there is no such stream. */
export async function groupsOf(ask: Ask, stream: string): Promise<GroupInfo[]> {
  try {
    return ((await ask("XINFO", ["GROUPS", stream])) as unknown[][]).map(toGroupInfo);
  } catch (error) {
    if (/no such key/.test((error as Error).message)) return [];
    throw error;
  }
}

function toGroupInfo(reply: readonly unknown[]): GroupInfo {
  const info = new Map(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]));
  const lag = info.get("lag");
  return {
    name: String(info.get("name")),
    consumers: Number(info.get("consumers")),
    pending: Number(info.get("pending")),
    lastDeliveredId: String(info.get("last-delivered-id")),
    lag: typeof lag === "number" ? lag : undefined,
  };
}

/**
 * Creates the group, to be given what comes after `origin`; one that is there stays as it is. Resolves with where it begins, or with
 * undefined while there is no stream: none is made for it, since it would stay for ever where nothing is ever published.
 */
export async function createGroup(ask: Ask, { stream, group }: Member, origin: string): Promise<string | undefined> {
  const info = await streamInfo(ask, stream);
  if (!info) return undefined;
  const { lastId } = info;
  const wanted = origin === "now" ? lastId : origin;
  // A stream that ends before what is acknowledged already has begun anew.
  const start = isBefore(lastId, wanted) ? START : wanted;
  try {
    await ask("XGROUP", ["CREATE", stream, group, start]);
  } catch (error) {
    if (isServerError(error) && /requires the key to exist/.test((error as Error).message)) return undefined;
    // Another consumer was faster.
    if (!isServerError(error) || !(error as Error).message.startsWith("BUSYGROUP")) throw error;
  }
  return start;
}

/** Whether the stream or the group is not there. */
export function isNoGroup(error: unknown): boolean {
  return isServerError(error) && (error as Error).message.startsWith("NOGROUP");
}

/** The greatest id that is smaller. */
export function justBefore(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  if (sequence !== "0") return `${ms}-${BigInt(sequence) - 1n}`;
  return ms === "0" ? START : `${BigInt(ms) - 1n}-${2n ** 64n - 1n}`;
}
