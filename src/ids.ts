import { InvalidInputError } from "./errors.js";

/** Every id column is `varchar(64)`, counted in characters (code points). */
export const MAX_ID_LENGTH = 64;

/**
 * Returns `value` if it can be an id: a string of 1 to 64 characters that is stored and compared byte for byte.
 * Refused are a NUL, a lone surrogate (stored as U+FFFD, so two ids would become one) and a trailing space
 * (`utf8mb4_bin` pads with spaces when it compares).
 * @throws InvalidInputError naming `argument`
 */
export function checkId(argument: string, value: unknown): string {
  if (typeof value !== "string") throw new InvalidInputError(argument, `must be a string, not ${describeType(value)}`);
  if (value === "") throw new InvalidInputError(argument, "must not be empty");
  // Characters are counted only where there may be too many: lists of hundreds of ids are checked on hot paths.
  if (value.length > MAX_ID_LENGTH && [...value].length > MAX_ID_LENGTH)
    throw new InvalidInputError(argument, `must have at most ${MAX_ID_LENGTH} characters`);
  if (value.includes("\0")) throw new InvalidInputError(argument, "must not contain a NUL character");
  if (!value.isWellFormed()) throw new InvalidInputError(argument, "must not contain a lone surrogate");
  if (value.endsWith(" ")) throw new InvalidInputError(argument, "must not end with a space");
  return value;
}

/**
 * As `checkId`; braces are refused too, since they would be read as a hash tag and move the meeting's stream to another slot.
 * @throws InvalidInputError naming `argument`
 */
export function checkMeetingId(argument: string, value: unknown): string {
  const id = checkId(argument, value);
  if (/[{}]/.test(id))
    throw new InvalidInputError(argument, "must not contain braces: they would move its stream to another slot");
  return id;
}

function describeType(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
