import { InvalidInputError } from "../errors.js";
import { checkMeetingId } from "../ids.js";

/** Streams of meetings: this prefix and the meeting's id. */
export const ROOM_STREAM_PREFIX = "room-stream:";

export type StreamValue = string | number | boolean | bigint;
export type StreamValues = Readonly<Record<string, StreamValue>>;

const MAX_NAME_BYTES = 512;
const MAX_FIELDS = 1_000;

/** @throws InvalidInputError unless `value` can be a key or channel: 1 to 512 bytes, no NUL, no lone surrogate */
export function checkName(argument: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new InvalidInputError(argument, "must be a non-empty string");
  checkText(argument, value);
  if (value.includes("\0")) throw new InvalidInputError(argument, "must not contain a NUL character");
  if (Buffer.byteLength(value) > MAX_NAME_BYTES)
    throw new InvalidInputError(argument, `must have at most ${MAX_NAME_BYTES} bytes`);
  return value;
}

/** As `checkName`; a meeting's stream must also carry a valid meeting id. */
export function checkStream(value: unknown): string {
  const stream = checkName("stream", value);
  if (stream.startsWith(ROOM_STREAM_PREFIX))
    checkMeetingId("stream's meeting id", stream.slice(ROOM_STREAM_PREFIX.length));
  return stream;
}

/** @throws InvalidInputError when `message` is no string, holds a lone surrogate or is larger than `maxBytes` */
export function checkMessage(message: unknown, maxBytes: number): string {
  if (typeof message !== "string") throw new InvalidInputError("message", "must be a string");
  checkText("message", message);
  if (Buffer.byteLength(message) > maxBytes) throw new InvalidInputError("message", tooLarge(maxBytes));
  return message;
}

/**
 * An entry's fields and values in turn, as XADD takes them. Numbers and booleans are written as JavaScript prints them.
 * @throws InvalidInputError naming the field that cannot be stored as it is
 */
export function toEntry(values: unknown, maxBytes: number): string[] {
  if (typeof values !== "object" || values === null || Array.isArray(values) || values instanceof Map)
    throw new InvalidInputError("values", "must be an object of fields");
  const fields = Object.keys(values);
  if (fields.length === 0 || fields.length > MAX_FIELDS)
    throw new InvalidInputError("values", `must have 1 to ${MAX_FIELDS} fields`);
  const entry: string[] = [];
  for (const field of fields) entry.push(field, toText(field, (values as Record<string, unknown>)[field]));
  checkSize("values", entry, maxBytes);
  return entry;
}

/** @throws InvalidInputError when `texts` have more than `room` bytes together; it names `maxBytes`, of which the rest is taken already */
export function checkSize(argument: string, texts: readonly string[], room: number, maxBytes = room): void {
  let characters = 0;
  for (const text of texts) characters += text.length;
  // Counted only where it may be too much: a character has at most three bytes in UTF-8 (a pair of surrogates four).
  if (characters * 3 <= room) return;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > room) throw new InvalidInputError(argument, tooLarge(maxBytes));
}

function toText(field: string, value: unknown): string {
  if (typeof value === "string" && value.isWellFormed() && field.isWellFormed()) return value;
  return toTextOrRefuse(field, value);
}

function toTextOrRefuse(field: string, value: unknown): string {
  const argument = `values[${JSON.stringify(field.slice(0, 64))}]`;
  checkText(argument, field);
  switch (typeof value) {
    case "string":
      return checkText(argument, value);
    case "number":
      if (!Number.isFinite(value)) throw new InvalidInputError(argument, "must be a finite number");
      return String(value);
    case "boolean":
    case "bigint":
      return String(value);
    default: {
      const type = value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
      throw new InvalidInputError(argument, `must be a string, number, boolean or bigint, not ${type}`);
    }
  }
}

/** @throws InvalidInputError unless `value` is a whole number above 0 */
export function checkWhole(argument: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidInputError(argument, "must be a whole number above 0");
  return value;
}

/** The longest a Node.js timer waits, in milliseconds; it fires at once for anything longer. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws InvalidInputError unless a timer can wait for `timeoutMs`; 0, no time left, only where `least` allows it */
export function checkTimeout(argument: string, timeoutMs: unknown, least: "above 0" | "from 0" = "above 0"): void {
  const valid = typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS;
  if (!valid || (timeoutMs === 0 && least === "above 0"))
    throw new InvalidInputError(argument, `must be a number of milliseconds ${least} to ${MAX_TIMEOUT_MS}`);
}

/** @throws InvalidInputError unless `options` are an object whose `timeoutMs` and `signal`, where given, can be used */
export function checkCallOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) throw new InvalidInputError("options", "must be an object");
  const { timeoutMs, signal } = options as { readonly timeoutMs?: unknown; readonly signal?: unknown };
  if (timeoutMs !== undefined) checkTimeout("options.timeoutMs", timeoutMs);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new InvalidInputError("options.signal", "must be an AbortSignal");
}

function checkText(argument: string, text: string): string {
  if (!text.isWellFormed()) throw new InvalidInputError(argument, "must not contain a lone surrogate");
  return text;
}

function tooLarge(maxBytes: number): string {
  return `must have at most ${maxBytes} bytes in all (REDIS_MAX_PAYLOAD_BYTES)`;
}
