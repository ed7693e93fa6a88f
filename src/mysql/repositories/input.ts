import { InvalidInputError } from "../../errors.js";

const MAX_INT = 2 ** 31 - 1;
const MAX_NAME_LENGTH = 255;

/**
 * Returns `value` if it is a whole number from `least` to what an INT column holds.
 * @throws InvalidInputError naming `argument`
 */
export function checkWhole(argument: string, value: unknown, least = 0): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= MAX_INT) return value as number;
  throw new InvalidInputError(argument, `must be a whole number from ${least} to ${MAX_INT}`);
}

/**
 * Returns `value` if it can be a host or a tenant: as an id, but up to 255 characters.
 * @throws InvalidInputError naming `argument`
 */
export function checkName(argument: string, value: unknown): string {
  const fits = typeof value === "string" && value !== "" && [...value].length <= MAX_NAME_LENGTH;
  if (fits && value.isWellFormed() && !value.includes("\0") && !value.endsWith(" ")) return value;
  throw new InvalidInputError(
    argument,
    `must be a string of 1 to ${MAX_NAME_LENGTH} characters without NUL, lone surrogate or space at its end`,
  );
}

/** @throws InvalidInputError naming `argument` when a value occurs twice */
export function checkDistinct(argument: string, values: readonly string[]): void {
  if (new Set(values).size !== values.length) throw new InvalidInputError(argument, "must not occur twice");
}
