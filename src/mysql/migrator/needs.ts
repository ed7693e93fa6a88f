import type { TableDefinition } from "./tableDefinition.js";

/** What a step needs the tables and their rows to be like. Each holds only where the table exists. */
export type Need = ShapeNeed | UniqueNeed | ReferenceNeed;

/** The table is as `definition` says, or can be made so without losing anything. */
export interface ShapeNeed {
  readonly kind: "shape";
  readonly definition: TableDefinition;
}

/** No two rows have the same values in `columns`, compared byte for byte but for trailing spaces. */
export interface UniqueNeed {
  readonly kind: "unique";
  readonly table: string;
  readonly columns: readonly string[];
  /** Whether NULL is refused too, as a primary key does. */
  readonly notNull: boolean;
}

/** Each value of `column` is one of the parent's, spelled alike to the byte but for trailing spaces. */
export interface ReferenceNeed {
  readonly kind: "reference";
  readonly table: string;
  readonly column: string;
  readonly references: { readonly table: string; readonly column: string };
  /** Whether the parent must exist. Without a foreign key only the spelling matters, for those that have one. */
  readonly enforced: boolean;
}
