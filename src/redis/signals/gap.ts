import type { Ask } from "../following/room.js";

/** Before every entry. */
export const START = "0-0";

/** Entries after the cursor are gone: `trimmed` from a stream that goes on, or `lost` with a stream that is gone or begins anew. */
export interface Gap {
  readonly reason: "trimmed" | "lost";
  /** Where to go on from. */
  readonly cursor: string;
}

export interface StreamInfo {
  readonly length: number;
  readonly lastId: string;
  readonly firstId: string | undefined;
  /** Entries ever added, and the greatest id of those deleted one by one; Redis 7 and later tell them. */
  readonly added: number | undefined;
  readonly maxDeletedId: string | undefined;
}

/** Undefined where there is no such stream. */
export async function streamInfo(ask: Ask, stream: string): Promise<StreamInfo | undefined> {
  try {
    const reply = (await ask("XINFO", ["STREAM", stream])) as unknown[];
    const info = new Map(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]));
    const first = info.get("first-entry") as [string, string[]] | null;
    const added = info.get("entries-added");
    return {
      length: Number(info.get("length")),
      lastId: String(info.get("last-generated-id")),
      firstId: first?.[0],
      added: added === undefined ? undefined : Number(added),
      maxDeletedId: info.get("max-deleted-entry-id") as string | undefined,
    };
  } catch (error) {
    if (/no such key/.test((error as Error).message)) return undefined;
    throw error;
  }
}

/**
 * What happened to a stream that does not hold the entry at `cursor`. Asked after the entries were read: what is whole by then was
 * whole when they were. `held`: the entry was there once. `mark` is an older cursor, which tells a stream that lost its tail from one
 * that began anew.
 */
export async function findGap(
  ask: Ask,
  stream: string,
  { cursor, mark, held }: { readonly cursor: string; readonly mark: string; readonly held: boolean },
): Promise<Gap | undefined> {
  const info = await streamInfo(ask, stream);
  if (!info) return cursor === START ? undefined : { reason: "lost", cursor: START };
  const { firstId, lastId, length, added, maxDeletedId } = info;
  // Where all entries ever added are still there, none is missing, unless the one at the cursor should be among them.
  if (cursor === START) return added === undefined || added === length ? undefined : { reason: "trimmed", cursor };
  if (lastId === cursor) return undefined;
  if (isBefore(lastId, cursor)) return { reason: "lost", cursor: await resumeAt(ask, stream, mark) };
  // A server that took over without the cursor's entry may have added others before it, by its own clock, and then some behind it.
  const tailLost = held && maxDeletedId !== undefined && isBefore(maxDeletedId, cursor);
  // Trimming begins with the oldest entry, so one from before the cursor vouches for all behind it.
  if (firstId !== undefined && !isBefore(cursor, firstId))
    return tailLost ? { reason: "lost", cursor: await resumeAt(ask, stream, mark) } : undefined;
  return { reason: added === length ? "lost" : "trimmed", cursor };
}

async function resumeAt(ask: Ask, stream: string, mark: string): Promise<string> {
  if (mark === START) return START;
  const found = (await ask("XRANGE", [stream, mark, mark])) as unknown[];
  return found.length > 0 ? mark : START;
}

/** In Unix milliseconds: an id begins with them. */
export function addedAt(id: string): number;
export function addedAt(id: string | undefined): number | undefined;
export function addedAt(id: string | undefined): number | undefined {
  return id === undefined ? undefined : Number(id.split("-")[0]);
}

/** Whether one entry id is smaller than another. */
export function isBefore(one: string, other: string): boolean {
  const [ms = "0", sequence = "0"] = one.split("-");
  const [otherMs = "0", otherSequence = "0"] = other.split("-");
  const difference = BigInt(ms) - BigInt(otherMs);
  return difference < 0n || (difference === 0n && BigInt(sequence) < BigInt(otherSequence));
}
