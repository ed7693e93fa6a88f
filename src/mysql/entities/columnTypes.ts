import type { ValueTransformer } from "typeorm";
import { InvalidInputError } from "../../errors.js";
import { checkId } from "../../ids.js";

/** Refuses what is no id before it reaches the database, also in conditions: the number 0 would match every row. */
const checkedId: ValueTransformer = {
  to: (value: unknown) => (value === null || value === undefined ? value : checkId("id", value)),
  from: (value: string | null) => value,
};

/** Ids compare byte for byte: `P1` and `p1`, `é` and `e` differ. */
export const ID = {
  type: "varchar",
  length: 64,
  charset: "utf8mb4",
  collation: "utf8mb4_bin",
  transformer: checkedId,
} as const;

export const NAME = { type: "varchar", length: 255, charset: "utf8mb4", collation: "utf8mb4_bin" } as const;

/** A BIGINT as a `bigint`: as a number it would lose its last digits above 2^53. The driver hands it over as text. */
export const exactBigint: ValueTransformer = {
  to: (value: unknown) => (value === null || value === undefined ? value : checkBigint(value).toString()),
  from: (value: string | number | null) => (value === null ? null : BigInt(value)),
};

function checkBigint(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  throw new InvalidInputError(
    "heartbeat",
    "must be a bigint: Unix nanoseconds are more than a number can hold exactly",
  );
}
