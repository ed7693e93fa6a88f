import type {
  LiveCheck,
  LiveColumn,
  LiveForeignKey,
  LiveIndex,
  LiveIndexColumn,
  LiveSchema,
  LiveTable,
  LiveTrigger,
} from "./liveSchema.js";
import { CHARSET } from "./tableDefinition.js";

/** One object of a schema as text. */
export interface SchemaBlock {
  /** The table it is, or belongs to; a view's name. */
  readonly table: string;
  /** What it is: the first line. */
  readonly title: string;
  /** All lines, the title among them. */
  readonly lines: readonly string[];
}

/** The schema as text in the manner of SQL, the same for equal schemas on either engine. */
export function schemaText(schema: LiveSchema): string {
  return `${schemaBlocks(schema)
    .map(({ lines }) => lines.join("\n"))
    .join("\n\n")}\n`;
}

export function schemaBlocks(schema: LiveSchema): SchemaBlock[] {
  const tables = [...schema.tables.values()].sort((a, b) => compare(a.name, b.name));
  const views = [...schema.views].sort(compare).map((view) => block(view, [`CREATE VIEW ${view};`]));
  return [...tables.flatMap((table) => [tableBlock(table), ...table.triggers.map(triggerBlock)]), ...views];
}

/** Reads `schemaText` back into its blocks. */
export function blocksOf(text: string): SchemaBlock[] {
  return text
    .trimEnd()
    .split("\n\n")
    .map((part) => part.split("\n"))
    .map((lines) => block(tableNamedIn(lines[0] as string), lines));
}

function tableNamedIn(title: string): string {
  return /^CREATE (?:TABLE|VIEW) ([^\s;]+)|\bON (\S+) FOR EACH ROW$/.exec(title)?.slice(1).find(Boolean) ?? title;
}

function block(table: string, lines: readonly string[]): SchemaBlock {
  return { table, title: lines[0] as string, lines };
}

function tableBlock(table: LiveTable): SchemaBlock {
  const parts = [
    ...table.columns.map(columnLine),
    ...[...table.indexes].sort(byName).map(indexLine),
    ...[...table.foreignKeys].sort(byName).map(foreignKeyLine),
    ...[...table.checks].sort(byName).map(checkLine),
  ];
  const body = parts.map((part, at) => `  ${part}${at < parts.length - 1 ? "," : ""}`);
  return block(table.name, [`CREATE TABLE ${table.name} (`, ...body, `) ${optionsOf(table)};`]);
}

function optionsOf({ engine, collation, rowFormat, partitioned }: LiveTable): string {
  const format = rowFormat === "Dynamic" ? "" : ` ROW_FORMAT=${rowFormat}`;
  return `ENGINE=${engine} COLLATE=${collation}${format}${partitioned ? " PARTITIONED" : ""}`;
}

function columnLine(column: LiveColumn): string {
  return [
    column.name,
    column.type,
    column.charset !== undefined && column.charset !== CHARSET && `CHARACTER SET ${column.charset}`,
    column.collation !== undefined && `COLLATE ${column.collation}`,
    column.nullable ? "NULL" : "NOT NULL",
    column.default !== undefined && `DEFAULT ${column.default}`,
    column.extra,
  ]
    .filter(Boolean)
    .join(" ");
}

function indexLine({ name, unique, kind, columns, visible }: LiveIndex): string {
  const list = `(${columns.map(indexColumn).join(", ")})${visible ? "" : " INVISIBLE"}`;
  if (name === "PRIMARY") return `PRIMARY KEY ${list}`;
  const qualifier = kind === "BTREE" ? (unique ? "UNIQUE " : "") : `${kind} `;
  return `${qualifier}KEY ${name} ${list}`;
}

function indexColumn({ name, prefix, descending }: LiveIndexColumn): string {
  return `${name}${prefix === undefined ? "" : `(${prefix})`}${descending ? " DESC" : ""}`;
}

function foreignKeyLine({ name, columns, references, onDelete, onUpdate }: LiveForeignKey): string {
  const parent = `${references.table} (${references.columns.join(", ")})`;
  return `CONSTRAINT ${name} FOREIGN KEY (${columns.join(", ")}) REFERENCES ${parent} ON DELETE ${onDelete} ON UPDATE ${onUpdate}`;
}

function checkLine({ name, clause }: LiveCheck): string {
  return `CONSTRAINT ${name} CHECK (${clause})`;
}

/** Indentation and empty lines mean nothing, so they are evened out. */
function triggerBlock({ name, event, table, body }: LiveTrigger): SchemaBlock {
  const lines = body.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  const told = lines.filter(Boolean).map((line) => `  ${line}`);
  return block(table, [`CREATE TRIGGER ${name} ${event} ON ${table} FOR EACH ROW`, ...told, ";"]);
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => compare(a.name, b.name);

/** By code, since the engines sort names by collations of their own. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
