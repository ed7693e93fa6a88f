import { decodeSignal } from "./codec.js";
import type { Gap } from "./gap.js";
import type { ReceivedSignal, UnrecognisedEntry } from "./types.js";

/** An entry's id is called `entryId`, beside the meeting's. */
type InMeeting<T> = T extends unknown
  ? Omit<T, "id"> & { readonly entryId: string; readonly meetingId: string }
  : never;

/** A signal as a subscription delivers it: one shape for each type. */
export type SignalEvent = InMeeting<ReceivedSignal>;

/** An entry that is no signal of this meeting, with its fields as they stand in the stream. */
export type UnrecognisedEvent = InMeeting<UnrecognisedEntry>;

/**
 * Entries that were not delivered are gone, or may be: look at the meeting's state anew. What follows comes after `cursor`.
 * `trimmed`: the stream was trimmed past what was read. `lost`: it was deleted, has expired, or a server lost its data.
 */
export interface ResyncEvent {
  readonly kind: "resync";
  readonly meetingId: string;
  readonly reason: Gap["reason"];
  readonly cursor: string;
}

export type SubscriptionEvent = SignalEvent | UnrecognisedEvent | ResyncEvent;

/** An entry as Redis returns it: its id, then fields and values in turn. */
export type RawEntry = readonly [id: string, pairs: readonly string[]];

/** In characters. */
export function sizeOf([, pairs]: RawEntry): number {
  let size = 0;
  for (const text of pairs) size += text.length;
  return size;
}

/** An entry's fields: no name is inherited, and unlike `Object.create(null)` it is no dictionary, which costs several times as much. */
class Fields {
  [field: string]: string;
}
Object.setPrototypeOf(Fields.prototype, null);
Reflect.deleteProperty(Fields.prototype, "constructor");

export function toEvent(meetingId: string, [entryId, pairs]: RawEntry): SignalEvent | UnrecognisedEvent {
  const fields = new Fields();
  for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
  const decoded = decodeSignal({ id: entryId, fields });
  if (decoded.kind === "unrecognised")
    return { kind: "unrecognised", entryId, meetingId, fields, reason: decoded.reason };
  if (decoded.meetingId !== meetingId)
    return { kind: "unrecognised", entryId, meetingId, fields, reason: "its roomId is not the stream's meeting" };
  const { kind, type, senderId, receiverIds, payload, requestId, traceparent } = decoded;
  const event = { kind, type, entryId, meetingId, senderId, receiverIds, payload, requestId } as SignalEvent;
  return traceparent === undefined ? event : { ...event, traceparent };
}
