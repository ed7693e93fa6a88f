import type { ValueTransformer } from "typeorm";

/** A BIGINT as a `bigint`: as a number it would lose its last digits above 2^53. The driver hands it over as text. */
export const exactBigint: ValueTransformer = {
  to: (value: bigint | null | undefined) => value?.toString() ?? value,
  from: (value: string | number | null) => (value === null ? null : BigInt(value)),
};
