import type { RedisClient } from "../client.js";
import type { Ask } from "../following/room.js";
import { checkCallOptions } from "../input.js";
import { withSharedSignal } from "../sharedSignal.js";
import type { CallOptions } from "../streamWriter.js";
import type { RawEntry } from "./events.js";
import { addedAt, isBefore, START, type StreamInfo, streamInfo } from "./gap.js";
import { type GroupInfo, groupsOf } from "./groups/groupCommands.js";
import { streamOf } from "./keys.js";

/** How far somebody is behind a meeting's stream. Seconds are by this process's clock; the entries' ids are by the server's. */
export interface Behind {
  /** Entries still to be delivered; counting may end at 1,000. */
  readonly entries: number;
  /** The age of the oldest of them; 0 when there is none. */
  readonly seconds: number;
}

/** A subscription of this process. */
export interface SubscriberLag extends Behind {
  /** The last entry it has read; those that wait to be taken count as behind. */
  readonly cursor: string;
}

/** A consumer group, of whichever processes. */
export interface GroupLag extends Behind {
  readonly group: string;
  /** Consumers that were ever seen. */
  readonly consumers: number;
  /** Entries that were given to a consumer and are not acknowledged, and the age of the oldest. */
  readonly pending: number;
  readonly oldestPendingSeconds: number;
}

export interface SignalLag {
  readonly meetingId: string;
  /** Entries in the stream; 0 where there is none. */
  readonly length: number;
  readonly subscribers: readonly SubscriberLag[];
  readonly groups: readonly GroupLag[];
}

/** Entries are counted by reading them: so many at once, and no more than so many. */
const PAGE = 100;
const MAX_COUNTED = 1_000;

/** @see Signals.lag */
export async function measureLag(
  client: RedisClient,
  meetingId: string,
  options: CallOptions = {},
): Promise<SignalLag> {
  checkCallOptions(options);
  return withSharedSignal(options.signal, (signal) =>
    measure(client, meetingId, askWithin(client, options.timeoutMs, signal)),
  );
}

async function measure(client: RedisClient, meetingId: string, ask: Ask): Promise<SignalLag> {
  const stream = streamOf(meetingId);
  const progress = client.following.progressOf(stream);
  const [info, groups] = await Promise.all([streamInfo(ask, stream), groupsOf(ask, stream)]);
  const [subscribers, groupLags] = await Promise.all([
    Promise.all(
      progress.map(async ({ cursor, waiting, firstWaiting }) => {
        const { entries, seconds } = await countBehind(ask, stream, info, cursor);
        return { cursor, entries: waiting + entries, seconds: firstWaiting ? ageOf(firstWaiting) : seconds };
      }),
    ),
    Promise.all(groups.map((group) => groupLag(ask, stream, info, group))),
  ]);
  return { meetingId, length: info?.length ?? 0, subscribers, groups: groupLags };
}

/** @see Signals.cursor */
export async function readCursor(client: RedisClient, meetingId: string, options: CallOptions = {}): Promise<string> {
  checkCallOptions(options);
  const info = await streamInfo(askWithin(client, options.timeoutMs, options.signal), streamOf(meetingId));
  return info?.lastId ?? START;
}

/** Asks within `timeoutMs` from now, all questions together. */
function askWithin(client: RedisClient, timeoutMs: number | undefined, signal: AbortSignal | undefined): Ask {
  const deadline = timeoutMs && performance.now() + timeoutMs;
  return (command, args) => {
    const left = deadline && { timeoutMs: Math.max(1, deadline - performance.now()) };
    return client.send(command, args, { kind: "read", signal, ...left });
  };
}

async function groupLag(ask: Ask, stream: string, info: StreamInfo | undefined, group: GroupInfo): Promise<GroupLag> {
  const { name, consumers, pending, lastDeliveredId, lag } = group;
  const [behind, oldest] = await Promise.all([
    countBehind(ask, stream, info, lastDeliveredId, lag),
    ask("XPENDING", [stream, name, "-", "+", 1]) as Promise<[id: string, ...unknown[]][]>,
  ]);
  const oldestPendingSeconds = oldest[0] ? ageOf(oldest[0][0]) : 0;
  return { group: name, ...behind, consumers, pending, oldestPendingSeconds };
}

/** `known`: how many they are, where the server has said so. */
async function countBehind(
  ask: Ask,
  stream: string,
  info: StreamInfo | undefined,
  cursor: string,
  known?: number,
): Promise<Behind> {
  let entries = 0;
  let seconds = 0;
  if (!info || !isBefore(cursor, info.lastId)) return { entries, seconds };
  const count = known === undefined ? PAGE : 1;
  for (let after = cursor; entries < MAX_COUNTED; ) {
    const page = (await ask("XRANGE", [stream, `(${after}`, "+", "COUNT", count])) as RawEntry[];
    if (entries === 0 && page[0]) seconds = ageOf(page[0][0]);
    entries += page.length;
    after = page.at(-1)?.[0] ?? after;
    if (page.length < PAGE) break;
  }
  return { entries: known ?? entries, seconds };
}

/** In seconds. */
function ageOf(id: string): number {
  return Math.max(0, Date.now() - addedAt(id)) / 1_000;
}
