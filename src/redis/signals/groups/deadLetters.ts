import { createHash } from "node:crypto";
import type { RedisConfig } from "../../../config/types.js";
import { oneLine } from "../../../errors.js";
import type { RedisClient } from "../../client.js";
import type { ReadOptions, RedisRepository, StreamEntry } from "../../repository.js";
import { type SignalEvent, toEvent, type UnrecognisedEvent } from "../events.js";
import { besideStream } from "../keys.js";
import type { GivenEntry, Member } from "./groupCommands.js";

/** An entry that a group has given up. */
export interface DeadLetter {
  /** Its id among the group's dead letters. */
  readonly id: string;
  /** What could not be handled, under the id it had in the meeting's stream. */
  readonly event: SignalEvent | UnrecognisedEvent;
  /** What the handler failed with the last time: one line of at most 500 characters. */
  readonly reason: string;
  readonly deliveries: number;
  /** The consumer that gave up. */
  readonly consumer: string;
}

const MAX_DEAD_LETTERS = 1_000;
const MAX_REASON_LENGTH = 500;
/** Lua cannot pass on many thousands; a stream's own writers are bound by `pushToStream` to as many. */
const MAX_TEXTS = 2_000;

/**
 * In one step, so that an entry is neither lost nor buried twice: what has been acknowledged meanwhile stays as it is. XACK is last:
 * when something before it is refused, the entry is still pending. So it is while the slot moves and a node has one key only.
 */
const BURY = `
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])`;
const BURY_SHA = createHash("sha1").update(BURY).digest("hex");

function deadStreamOf(meetingId: string, group: string): string {
  return besideStream(meetingId, `dead:${group}`);
}

/** Moves an entry to the group's dead letters and acknowledges it. */
export async function bury(
  {
    client,
    config,
  }: { readonly client: RedisClient; readonly config: Pick<RedisConfig, "streamTtlMs" | "writeTimeoutMs"> },
  meetingId: string,
  { stream, group, consumer }: Member,
  { id, pairs, deliveries }: GivenEntry,
  reason: string,
): Promise<void> {
  const text = oneLine(reason).slice(0, MAX_REASON_LENGTH).toWellFormed();
  const about = ["deadEntryId", id, "deadReason", text, "deadDeliveries", `${deliveries}`, "deadConsumer", consumer];
  const keys = [2, stream, deadStreamOf(meetingId, group), group, id, MAX_DEAD_LETTERS, config.streamTtlMs];
  // Last, so that they count should an entry have fields of these names.
  const args = [...keys, ...(pairs ?? []).slice(0, MAX_TEXTS), ...about];
  const withScript = { command: "EVAL", args: [BURY, ...args] };
  await client.send("EVALSHA", [BURY_SHA, ...args], {
    kind: "idempotent",
    withScript,
    timeoutMs: config.writeTimeoutMs,
  });
}

/** In order of their burial. */
export async function readDeadLetters(
  redis: RedisRepository,
  meetingId: string,
  group: string,
  options: ReadOptions | undefined,
): Promise<DeadLetter[]> {
  const entries = await redis.readStream(deadStreamOf(meetingId, group), options);
  return entries.map((entry) => toDeadLetter(meetingId, entry));
}

function toDeadLetter(meetingId: string, { id, fields }: StreamEntry): DeadLetter {
  const { deadEntryId = "", deadReason = "", deadDeliveries = "", deadConsumer = "", ...own } = fields;
  const event = toEvent(meetingId, [deadEntryId, Object.entries(own).flat()]);
  return { id, event, reason: deadReason, deliveries: Number(deadDeliveries), consumer: deadConsumer };
}
