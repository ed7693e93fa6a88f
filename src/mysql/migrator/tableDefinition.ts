import type { ReferentialAction } from "./liveSchema.js";

/** A table as a migration wants it, as data: its CREATE, what an existing one lacks of it, and the checks follow from this. */
export interface TableDefinition {
  readonly name: string;
  /** In order. */
  readonly columns: readonly ColumnDefinition[];
  /** The primary key is named `PRIMARY`. */
  readonly indexes: readonly IndexDefinition[];
  readonly foreignKeys: readonly ForeignKeyDefinition[];
  /** Columns that name another table's row without a foreign key. */
  readonly links?: readonly Link[];
}

export interface Link {
  readonly column: string;
  readonly references: { readonly table: string; readonly column: string };
}

export interface ColumnDefinition {
  readonly name: string;
  /** Lower case, without display width but for `tinyint(1)`. */
  readonly type: string;
  readonly nullable: boolean;
  /** As an SQL expression; undefined: none. */
  readonly default?: string;
}

export interface IndexDefinition {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
}

export interface ForeignKeyDefinition extends Link {
  readonly name: string;
  readonly onDelete: ReferentialAction;
}

/** What every text column and table has: ids are bytes. */
export const CHARSET = "utf8mb4";
export const COLLATION = "utf8mb4_bin";
export const TABLE_OPTIONS = `ENGINE=InnoDB DEFAULT CHARSET=${CHARSET} COLLATE=${COLLATION} ROW_FORMAT=DYNAMIC`;

export const isText = ({ type }: { readonly type: string }) => /^(?:var)?char\b|text\b/.test(type);

/** `router_id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL`. */
export function columnSql(column: ColumnDefinition): string {
  const charset = isText(column) ? ` CHARACTER SET ${CHARSET} COLLATE ${COLLATION}` : "";
  const fallback = column.default === undefined ? "" : ` DEFAULT ${column.default}`;
  return `${column.name} ${column.type}${charset} ${column.nullable ? "NULL" : "NOT NULL"}${fallback}`;
}

/** `PRIMARY KEY (…)`, `UNIQUE KEY name (…)` or `KEY name (…)`. */
export function indexSql({ name, unique, columns }: IndexDefinition): string {
  if (name === "PRIMARY") return `PRIMARY KEY (${columns.join(", ")})`;
  return `${unique ? "UNIQUE " : ""}KEY ${name} (${columns.join(", ")})`;
}

export function foreignKeySql({ name, column, references, onDelete }: ForeignKeyDefinition): string {
  const parent = `${references.table} (${references.column})`;
  return `CONSTRAINT ${name} FOREIGN KEY (${column}) REFERENCES ${parent} ON DELETE ${onDelete} ON UPDATE NO ACTION`;
}

/** Does nothing where the table exists. */
export function createTableSql({ name, columns, indexes, foreignKeys }: TableDefinition): string {
  const parts = [...columns.map(columnSql), ...indexes.map(indexSql), ...foreignKeys.map(foreignKeySql)];
  return `CREATE TABLE IF NOT EXISTS ${name} (${parts.join(", ")}) ${TABLE_OPTIONS}`;
}
