import { escape as literal } from "mysql2";
import type { AdoptionProblem } from "../../errors.js";
import type { LiveColumn, LiveSchema, LiveTable } from "./liveSchema.js";
import type { ReferenceNeed, UniqueNeed } from "./needs.js";
import { COLLATION } from "./tableDefinition.js";

/** How many rows of a problem are told. */
const TOLD = 20;

type Row = Readonly<Record<string, string | null>>;
/** Reads; `table` is what it may have to wait for. */
export type Ask = <T>(table: string, sql: string) => Promise<T[]>;

/**
 * The rows that a key to come would refuse: NULLs, and values that are one and the same to it. Its collation ignores spaces
 * at the end, which not every collation does.
 */
export async function uniqueProblems(
  ask: Ask,
  { tables }: LiveSchema,
  { table, columns, notNull }: UniqueNeed,
): Promise<AdoptionProblem[]> {
  const live = tables.get(table);
  const found = columnsOf(live, columns);
  if (!live || found.length < columns.length) return [];
  const problems: AdoptionProblem[] = [];
  if (notNull)
    for (const column of found.filter(({ nullable }) => nullable)) problems.push(...(await nulls(ask, live, column)));
  if (!isKeptUnique(live, found)) problems.push(...(await duplicates(ask, table, columns)));
  return problems;
}

async function nulls(ask: Ask, { name: table }: LiveTable, column: LiveColumn): Promise<AdoptionProblem[]> {
  const where = `${column.name} IS NULL`;
  const { rows, count } = await look(ask, table, `SELECT * FROM ${table} WHERE ${where}`);
  const problem = `has ${count} row(s) whose ${column.name} is NULL, which is to be in its primary key`;
  return rows.length === 0 ? [] : [{ table, problem, rows, count, remedies: [`DELETE FROM ${table} WHERE ${where}`] }];
}

async function duplicates(ask: Ask, name: string, columns: readonly string[]): Promise<AdoptionProblem[]> {
  const where = columns.map((column) => `${column} IS NOT NULL`).join(" AND ");
  const keyed = columns.map((column) => `${exact(column)} AS ${column}`).join(", ");
  const table = `(SELECT ${keyed} FROM ${name} WHERE ${where}) AS keyed`;
  const key = columns.join(", ");
  const { rows, count } = await look(
    ask,
    name,
    `SELECT ${key}, COUNT(*) AS times FROM ${table} GROUP BY ${key} HAVING COUNT(*) > 1 ORDER BY ${key}`,
  );
  if (rows.length === 0) return [];
  const problem = `has ${count} value(s) of (${key}) in more than one row, which are to be a key`;
  return [{ table: name, problem, rows, count, remedies: rows.map((row) => keepOne(name, columns, row)) }];
}

/** Never run by us, so the values may be in it. */
function keepOne(table: string, columns: readonly string[], row: Row): string {
  const where = columns.map((column) => `${exact(column)} = ${literal(row[column])}`).join(" AND ");
  return [`DELETE FROM ${table} WHERE ${where}`, `LIMIT ${Number(row.times) - 1}`].join(" ");
}

/** A unique key on the same columns, in the collation to come. */
function isKeptUnique(live: LiveTable, columns: readonly LiveColumn[]): boolean {
  const names = columns.map(({ name }) => name).join();
  return (
    columns.every(({ collation }) => collation === undefined || collation === COLLATION) &&
    live.indexes.some(
      ({ unique, columns: own }) => unique && own.map(({ name, prefix }) => `${name}${prefix ?? ""}`).join() === names,
    )
  );
}

/**
 * The rows that would lose their parent: those that have none, where a foreign key is to hold, and those whose spelling the
 * present collation takes for the parent's, though it differs by case or accent; spaces at the end will not matter either.
 */
export async function referenceProblems(
  ask: Ask,
  { tables }: LiveSchema,
  { table: child, column: key, references: { table: parent, column: parentKey }, enforced }: ReferenceNeed,
): Promise<AdoptionProblem[]> {
  const [from] = columnsOf(tables.get(child), [key]);
  const [to] = columnsOf(tables.get(parent), [parentKey]);
  if (!from || !to) return [];
  // Text on one side only: the shape's problems tell of it.
  if ((from.charset === undefined) !== (to.charset === undefined)) return [];
  const alike = from.collation === to.collation && from.charset === to.charset;
  const value = alike ? `${child}.${key}` : `CONVERT(${child}.${key} USING ${to.charset}) COLLATE ${to.collation}`;
  // By itself first, so that it is the one named when it is what is held.
  await ask(parent, `SELECT 1 FROM ${parent} LIMIT 0`);
  const names: Names = { child, key, parent, parentKey, where: `p.${parentKey} = ${value}` };
  return [...(enforced ? await orphans(ask, names) : []), ...(await misspelt(ask, names))];
}

interface Names {
  readonly child: string;
  readonly key: string;
  readonly parent: string;
  readonly parentKey: string;
  /** A child meets its parent, `p`. */
  readonly where: string;
}

async function orphans(ask: Ask, names: Names): Promise<AdoptionProblem[]> {
  const { child, key, parent } = names;
  const where = `${key} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE ${names.where})`;
  const { rows, count } = await look(ask, child, `SELECT * FROM ${child} WHERE ${where}`);
  if (rows.length === 0) return [];
  const problem = `has ${count} row(s) whose ${key} is not in ${parent}`;
  return [{ table: child, problem, rows, count, remedies: [`DELETE FROM ${child} WHERE ${where}`] }];
}

async function misspelt(ask: Ask, names: Names): Promise<AdoptionProblem[]> {
  const { child, key, parent, parentKey } = names;
  const where = `${names.where} AND ${exact(`p.${parentKey}`)} <> ${exact(`${child}.${key}`)}`;
  const { rows, count } = await look(
    ask,
    child,
    `SELECT ${child}.*, p.${parentKey} AS spelled_as FROM ${child} JOIN ${parent} p ON ${where}`,
  );
  if (rows.length === 0) return [];
  const problem = `has ${count} row(s) whose ${key} is spelled otherwise than in ${parent}; they belong together today and would not`;
  const remedy = `UPDATE ${child} JOIN ${parent} p ON ${where} SET ${child}.${key} = p.${parentKey}`;
  return [{ table: child, problem, rows, count, remedies: [remedy] }];
}

/** The first rows, and how many there are in all. */
async function look(ask: Ask, from: string, sql: string): Promise<{ rows: Row[]; count: number }> {
  const rows = await ask<Row>(from, `${sql} LIMIT ${TOLD}`);
  if (rows.length < TOLD) return { rows: rows.map(plain), count: rows.length };
  const table = `(${sql}) AS found`;
  const [counted] = await ask<{ n: unknown }>(from, `SELECT COUNT(*) AS n FROM ${table}`);
  return { rows: rows.map(plain), count: Number(counted?.n) };
}

function plain(row: Readonly<Record<string, unknown>>): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]));
}

/** As the key to come compares. */
function exact(column: string): string {
  return `CONVERT(${column} USING utf8mb4) COLLATE ${COLLATION}`;
}

function columnsOf(live: LiveTable | undefined, names: readonly string[]): LiveColumn[] {
  return names.flatMap((name) => live?.columns.find((column) => column.name === name) ?? []);
}
