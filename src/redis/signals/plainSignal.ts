import type { ProducerMap, Signal, SignalType } from "./types.js";

type Fields = Readonly<Record<string, unknown>>;

const KEYS = new Set(["type", "meetingId", "senderId", "receiverIds", "payload", "requestId"]);
/** Of 1 to 64 characters; without braces, NUL and a space at the end. Ids that are valid otherwise are left to the schema. */
const PLAIN_ID = /^[^\0{}]{0,63}[^\0{} ]$/;
const MAX_REQUEST_ID_LENGTH = 256;

/**
 * A copy of `input` if that is plainly what the schema accepts, and undefined for all else, which is the schema's to judge: the schema
 * makes so much garbage that a process which publishes all the time is slowed down by a fifth.
 */
export function readPlainSignal(
  input: unknown,
  payloadFields: Readonly<Record<SignalType, ReadonlySet<string>>>,
): Signal | undefined {
  if (!isPlain(input) || !Object.keys(input).every((key) => KEYS.has(key))) return undefined;
  const { type, meetingId, senderId, receiverIds, requestId } = input;
  if (typeof type !== "string" || !Object.hasOwn(payloadFields, type)) return undefined;
  if (!isPlainId(meetingId) || !isPlainId(senderId)) return undefined;
  const payload = readPayload(input.payload, payloadFields[type as SignalType]);
  const read: Record<string, unknown> = { type, meetingId, senderId, payload };
  if (payload === undefined) return undefined;
  if ("receiverIds" in input) {
    if (!isReceivers(receiverIds)) return undefined;
    read.receiverIds = receiverIds && [...receiverIds];
  }
  if ("requestId" in input) {
    if (requestId !== undefined && !isRequestId(requestId)) return undefined;
    read.requestId = requestId;
  }
  return read as unknown as Signal;
}

function isPlain(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isPlainId(value: unknown): value is string {
  return typeof value === "string" && PLAIN_ID.test(value) && value.isWellFormed();
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

function isReceivers(value: unknown): value is string[] | null | undefined {
  if (value === null || value === undefined) return true;
  if (!Array.isArray(value) || value.length === 0) return false;
  // By index, since `every` skips what was never set.
  for (let i = 0; i < value.length; i += 1) if (!isPlainId(value[i])) return false;
  return true;
}

function isRequestId(value: unknown): boolean {
  return isText(value) && value.length > 0 && value.length <= MAX_REQUEST_ID_LENGTH && !value.includes("\0");
}

function readPayload(input: unknown, fields: ReadonlySet<string>): Fields | undefined {
  if (!isPlain(input) || !Object.keys(input).every((key) => fields.has(key))) return undefined;
  const payload: Record<string, unknown> = {};
  for (const field of fields) {
    const value = input[field];
    if (!isValid(field, value)) return undefined;
    payload[field] = value;
  }
  return payload;
}

function isValid(field: string, value: unknown): boolean {
  if (field === "producerMap") return isProducerMap(value);
  return isText(value) || (field === "disconnectReason" && value === null);
}

function isProducerMap(value: unknown): value is ProducerMap {
  return isPlain(value) && Object.entries(value).every(([kind, producer]) => isText(kind) && isText(producer));
}
