import type { AdoptionProblem } from "../../errors.js";
import { changedColumns, foreignKeyOf, isSameIndex } from "./fit.js";
import { type LiveColumn, type LiveForeignKey, type LiveSchema, type LiveTable, primaryKeyOf } from "./liveSchema.js";
import { type ColumnDefinition, isText, type TableDefinition } from "./tableDefinition.js";

/** Their text becomes utf8mb4 without losing a character. */
const CONVERTIBLE = new Set(["utf8mb4", "utf8mb3", "ascii"]);
/** Each holds the values of those before it, and the unsigned ones of those before that. */
const INTEGERS = ["tinyint", "smallint", "mediumint", "int", "bigint"];

/** What the tables are to become, beside the one that is looked at. */
export interface ShapeContext {
  readonly schema: LiveSchema;
  /** Of all tables to be adopted. */
  readonly definitions: readonly TableDefinition[];
  /** Primary keys that later steps add, by table. */
  readonly keysToCome: ReadonlyMap<string, readonly string[]>;
}

/** What keeps an existing table from being brought to its definition without losing or changing what a row means. */
export function shapeProblems(definition: TableDefinition, context: ShapeContext): AdoptionProblem[] {
  const { name } = definition;
  const { schema } = context;
  const told = (problems: readonly string[]) => problems.map((problem) => ({ table: name, problem }));
  if (schema.views.has(name)) return told(["is a view, not a table"]);
  const live = schema.tables.get(name);
  if (!live) return [];
  return told([
    ...tableProblems(live),
    ...definition.columns.flatMap((column) => columnProblems(column, live)),
    ...extraColumnProblems(definition, live),
    ...keyProblems(definition, live, context.keysToCome.get(name)),
    ...foreignKeyProblems(definition, live, context),
  ]);
}

function tableProblems({ engine, partitioned }: LiveTable): string[] {
  return [
    ...(engine === "InnoDB" ? [] : [`is stored by ${engine}: ALTER TABLE … ENGINE=InnoDB`]),
    ...(partitioned ? ["is partitioned, and can have no foreign keys: ALTER TABLE … REMOVE PARTITIONING"] : []),
  ];
}

function columnProblems(column: ColumnDefinition, live: LiveTable): string[] {
  const found = live.columns.find(({ name }) => name === column.name);
  if (!found) return [`lacks the column ${column.name} (${column.type})`];
  const is = `has the column ${column.name} as`;
  if (!isWidenable(found.type, column.type)) return [`${is} ${found.type}, which does not fit into ${column.type}`];
  return [
    ...(isText(column) && !CONVERTIBLE.has(found.charset ?? "")
      ? [`${is} character set ${found.charset}, of which no way leads to utf8mb4 that is sure to keep the text`]
      : []),
    ...(found.default === column.default ? [] : [`${is} DEFAULT ${found.default}, on which programs may rely`]),
    ...(found.extra === "" ? [] : [`${is} ${found.extra}`]),
  ];
}

/** Whether every value of the one type is one of the other. */
function isWidenable(from: string, to: string): boolean {
  if (from === to) return true;
  const [narrow, wide] = [lengthOf(from), lengthOf(to)];
  if (narrow !== undefined && wide !== undefined) return narrow <= wide;
  const [small, large] = [rankOf(from), rankOf(to)];
  return small !== undefined && large !== undefined && small <= large;
}

function lengthOf(type: string): number | undefined {
  const [, length] = /^(?:var)?char\((\d+)\)$/.exec(type) ?? [];
  return length === undefined ? undefined : Number(length);
}

/** An unsigned type needs the next larger signed one. */
function rankOf(type: string): number | undefined {
  const [, name = "", unsigned] = /^([a-z]+)(?:\(1\))?( unsigned)?$/.exec(type) ?? [];
  const rank = INTEGERS.indexOf(name);
  return rank === -1 ? undefined : rank + (unsigned ? 1 : 0);
}

/** Rows are inserted with named columns, so others must be able to stay out. */
function extraColumnProblems({ columns }: TableDefinition, live: LiveTable): string[] {
  const known = new Set(columns.map(({ name }) => name));
  const canStayOut = ({ nullable, default: fallback, extra }: LiveColumn) =>
    nullable || fallback !== undefined || /generated|auto_increment/.test(extra);
  return live.columns
    .filter((column) => !known.has(column.name) && !canStayOut(column))
    .map(({ name }) => `has a column ${name} of its own that is NOT NULL without a default`);
}

function keyProblems(
  { indexes }: TableDefinition,
  live: LiveTable,
  keyToCome: readonly string[] | undefined,
): string[] {
  const found = primaryKeyOf(live);
  const own = indexes.find(({ name }) => name === "PRIMARY");
  const expected = (own?.columns ?? keyToCome ?? []).join(", ");
  const isOther = found !== undefined && found.join(", ") !== expected;
  const clashes = indexes.filter((index) =>
    live.indexes.some((other) => other.name === index.name && index.name !== "PRIMARY" && !isSameIndex(index, other)),
  );
  return [
    ...(isOther ? [`has the primary key (${found.join(", ")}) instead of (${expected})`] : []),
    ...clashes.map(({ name, columns }) => `has a key ${name} that is not on (${columns.join(", ")}): rename it`),
  ];
}

/** A foreign key that the definitions do not know, of this table or to it, is in the way of a column's change. */
function foreignKeyProblems(definition: TableDefinition, live: LiveTable, context: ShapeContext): string[] {
  const changed = new Set(changedColumns(definition, live).map(({ name }) => name));
  const isChanged = (columns: readonly string[]) => columns.some((column) => changed.has(column));
  const strangers = live.foreignKeys.filter((key) => isStranger(key, context));
  const references = allForeignKeys(context.schema).filter((key) => key.references.table === live.name);
  const taken = definition.foreignKeys.filter(({ name }) => strangers.some((key) => key.name === name));
  return [
    ...strangers
      .filter(({ columns }) => isChanged(columns))
      .map((key) => `has a foreign key of its own, ${describe(key)}: drop it`),
    ...taken.map(({ name }) => `has another foreign key named ${name}: rename it`),
    ...references
      .filter((key) => isStranger(key, context) && isChanged(key.references.columns))
      .map((key) => `is referenced by ${key.table}, ${describe(key)}: drop that foreign key`),
  ];
}

function isStranger(key: LiveForeignKey, { definitions, schema }: ShapeContext): boolean {
  const [definition, live] = [definitions.find(({ name }) => name === key.table), schema.tables.get(key.table)];
  return !definition || !live || !definition.foreignKeys.some((own) => foreignKeyOf(live, own) === key);
}

function allForeignKeys({ tables, referencedFromElsewhere }: LiveSchema): LiveForeignKey[] {
  return [...[...tables.values()].flatMap(({ foreignKeys }) => foreignKeys), ...referencedFromElsewhere];
}

function describe({ name, columns, references }: LiveForeignKey): string {
  return `${name} (${columns.join(", ")}) to ${references.table} (${references.columns.join(", ")})`;
}
