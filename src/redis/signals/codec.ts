import { checkSize } from "../input.js";
import type { StreamEntry } from "../repository.js";
import { bulk, type Encoded, encode } from "../wire.js";
import { isPayload, isSignalType, SIGNAL_TYPES } from "./schemas.js";
import { readTraceparent, TRACEPARENT } from "./traceparent.js";
import type { DecodedEntry, ReceivedSignal, Signal, SignalType } from "./types.js";

const MESSAGE_TYPE = "signalMessage";

/** What is the same in all entries of a type, in its form on the wire; put together once, since a publish is mostly made of it. */
interface Frame {
  /** Up to the value of `signal`. */
  readonly head: string;
  /** Its JSON up to the receivers. */
  readonly json: string;
  /** Bytes of all that, names of fields included, without what the wire adds. */
  readonly bytes: number;
}

const ROOM_ID = bulk("roomId");
const PARTICIPANT_ID = bulk("participantId");
const REQUEST_ID = encode(["messageType", MESSAGE_TYPE, "requestId"]).text;
const TRACE = bulk(TRACEPARENT);
const FRAMES = Object.fromEntries(SIGNAL_TYPES.map((type) => [type, createFrame(type)])) as Record<SignalType, Frame>;

function createFrame(type: SignalType): Frame {
  const words = ["name", type, "signal", "roomId", "participantId", "messageType", MESSAGE_TYPE, "requestId"];
  return {
    head: encode(["name", type, "signal"]).text,
    json: `{"type":"${type}","subType":"${type}","version_id":0,"recipient_id":`,
    bytes: words.join("").length,
  };
}

/**
 * The six fields of a signal's entry, each before its value, as every service writes and reads them; a `traceparent` is a seventh, which
 * does not count as payload.
 * @throws InvalidInputError when fields and values have more than `maxBytes` together
 */
export function encodeSignal(signal: Signal, requestId: string, maxBytes: number, traceparent?: string): Encoded {
  const { type, meetingId, senderId, receiverIds, payload } = signal;
  const frame = FRAMES[type];
  const receivers = receiverIds ? JSON.stringify(receiverIds) : "null";
  const json = `${frame.json}${receivers},"payload":${JSON.stringify(payload)}}`;
  checkSize("signal", [json, meetingId, senderId, requestId], maxBytes - frame.bytes, maxBytes);
  const sender = `${ROOM_ID}${bulk(meetingId)}${PARTICIPANT_ID}${bulk(senderId)}`;
  const text = `${frame.head}${bulk(json)}${sender}${REQUEST_ID}${bulk(requestId)}`;
  const trace = readTraceparent(traceparent);
  return trace === undefined ? { count: 12, text } : { count: 14, text: `${text}${TRACE}${bulk(trace)}` };
}

/** Reads both forms of the wire format. Never throws: what is in neither comes back as `unrecognised`, with the reason. */
export function decodeSignal({ id, fields }: StreamEntry): DecodedEntry {
  try {
    const { name, roomId, participantId, requestId } = readFields(fields);
    const { recipients, payload } = readSignal(name, fields.signal ?? "");
    if (!isSignalType(name)) throw new Unrecognised("name is no known signal type");
    if (!isRecipients(recipients)) throw new Unrecognised("its recipients are neither null nor a list of ids");
    if (!isPayload(name, payload)) throw new Unrecognised("its payload lacks what its type needs");
    const receiverIds = recipients ?? null;
    const read: Record<string, unknown> = {
      kind: "signal",
      id,
      type: name,
      meetingId: roomId,
      senderId: participantId,
      receiverIds,
      payload,
      requestId,
    };
    const traceparent = readTraceparent(fields[TRACEPARENT]);
    if (traceparent !== undefined) read.traceparent = traceparent;
    return read as unknown as ReceivedSignal;
  } catch (error) {
    return { kind: "unrecognised", id, fields, reason: error instanceof Error ? error.message : "unreadable" };
  }
}

class Unrecognised extends Error {}

function readFields(fields: StreamEntry["fields"]) {
  const { name, roomId, participantId, messageType, requestId } = fields;
  if (messageType !== MESSAGE_TYPE) throw new Unrecognised(`messageType is not ${MESSAGE_TYPE}`);
  if (!name || !roomId || !participantId || !requestId)
    throw new Unrecognised("name, roomId, participantId or requestId is missing");
  return { name, roomId, participantId, requestId };
}

interface JsonObject {
  readonly [key: string]: unknown;
}

/** The second form keeps its payload in `details` and spells its receivers differently. */
function readSignal(name: string, json: string): { recipients: unknown; payload: unknown } {
  const signal = parse(json);
  if (!isObject(signal)) throw new Unrecognised("signal is no JSON object");
  if (signal.type !== name) throw new Unrecognised("name and the signal's type differ");
  if (!Object.hasOwn(signal, "details")) return { recipients: signal.recipient_id, payload: signal.payload };
  const { details } = signal;
  if (!isObject(details)) throw new Unrecognised("details is no object");
  return { recipients: signal.receiver_ids, payload: details.payload };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // V8's message quotes the text, which may be long and is not ours to log.
    throw new Unrecognised("signal is not JSON");
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRecipients(value: unknown): value is string[] | null | undefined {
  return value === undefined || value === null || (Array.isArray(value) && value.every((id) => typeof id === "string"));
}
