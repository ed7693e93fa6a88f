import {
  type LiveColumn,
  type LiveForeignKey,
  type LiveSchema,
  type LiveTable,
  primaryKeyOf,
} from "../../src/mysql/migrator/liveSchema.js";

/** What a row is; each table needs its sentence. */
const SENTENCES: Readonly<Record<string, string>> = {
  container_heartbeat:
    "A running media node: where it is, whose it is, and when it was last heard of (Unix nanoseconds).",
  container_load:
    "What a media node has left over all its workers, kept by triggers, so that placement finds the fullest one that fits by an index.",
  container_status: "Whether meetings may be placed on a media node; without a row they may.",
  meeting_status: "A meeting, from `create` to `end`.",
  migrations: "A migration that was applied, with the checksum of its steps.",
  participant_consumer_router: "The router on which a participant receives.",
  participant_consumer_transport: "The transport by which a participant receives.",
  participant_consumers: "One track of another participant that a participant receives.",
  participant_meeting: "A participant in the one meeting they are in, with the newest instance of theirs.",
  participant_producer_router: "The router on which a participant sends.",
  participant_producer_transport: "The transport by which a participant sends.",
  participant_producers: "One track that a participant sends.",
  placement_reservation: "Room on a worker that is promised to a meeting still to be created; it expires.",
  router_meeting: "A router's meeting and the streams it is provisioned for, as a producer or as a consumer router.",
  router_worker: "A router and the worker that it runs on.",
  worker_container: "A worker and its media node.",
  worker_load:
    "What a worker may carry and is used for, routers and live reservations alike, kept by triggers; one conditional UPDATE takes room.",
};

/**
 * The schema as an entity-relationship diagram for Mermaid, with a sentence for each table.
 * @throws Error naming a table that has no sentence, or a sentence that has no table
 */
export function schemaDiagram(schema: LiveSchema): string {
  const tables = [...schema.tables.values()].sort(byName);
  requireSentences(tables);
  const keys = tables.flatMap(({ foreignKeys }) => [...foreignKeys].sort(byName));
  const foreign = keys.map((key) => relation(key, schema.tables.get(key.table) as LiveTable));
  const diagram = ["erDiagram", ...foreign, ...tables.flatMap(entity)];
  return `${[INTRODUCTION, "", "```mermaid", ...diagram, "```", "", LEGEND, "", ...glossary(tables)].join("\n")}\n`;
}

const INTRODUCTION = `# The schema

What the migrations make, read back from a migrated database. Written by \`npm run schema\`; a test fails while it is out of date.
The same as SQL, with indexes and triggers, is [test/schema.sql](../test/schema.sql).`;

const LEGEND = `PK: primary key; UK: unique by itself; FK: references the table at the other end of the line, which tells the columns and what a delete
does to the row. In quotes: the column may be NULL, or its default. Ids are \`utf8mb4_bin\`: they compare byte for byte.`;

function requireSentences(tables: readonly LiveTable[]): void {
  const names = tables.map(({ name }) => name);
  const missing = names.filter((name) => !Object.hasOwn(SENTENCES, name));
  const idle = Object.keys(SENTENCES).filter((name) => !names.includes(name));
  if (missing.length + idle.length > 0)
    throw new Error(`test/support/schemaDiagram.ts: no sentence for [${missing}], no table for [${idle}]`);
}

function relation({ columns, references, onDelete }: LiveForeignKey, child: LiveTable): string {
  const optional = child.columns.some(({ name, nullable }) => nullable && columns.includes(name));
  const one = isUnique(child, columns);
  const cardinality = `${optional ? "|o" : "||"}--${one ? "o|" : "o{"}`;
  return `  ${references.table} ${cardinality} ${child.name} : "${columns.join(", ")} (${DELETES[onDelete]})"`;
}

const DELETES: Readonly<Record<LiveForeignKey["onDelete"], string>> = {
  CASCADE: "cascades",
  "NO ACTION": "refused",
  "SET NULL": "set NULL",
  "SET DEFAULT": "set default",
};

function entity(table: LiveTable): string[] {
  return [`  ${table.name} {`, ...table.columns.map((column) => `    ${attribute(table, column)}`), "  }"];
}

/** Mermaid takes no spaces in a type. */
function attribute(table: LiveTable, column: LiveColumn): string {
  const { name, type, nullable, default: fallback } = column;
  const keys = [
    primaryKeyOf(table)?.includes(name) && "PK",
    table.foreignKeys.some(({ columns }) => columns.includes(name)) && "FK",
    !isPrimaryKey(table, [name]) && isUnique(table, [name]) && "UK",
  ].filter(Boolean);
  const note = fallback !== undefined ? `default ${fallback}` : nullable ? "NULL" : "";
  return [type.replaceAll(" ", "_"), name, keys.join(", "), note && `"${note.replaceAll('"', "'")}"`]
    .filter(Boolean)
    .join(" ");
}

function isPrimaryKey(table: LiveTable, columns: readonly string[]): boolean {
  return sameSet(primaryKeyOf(table) ?? [], columns);
}

function isUnique({ indexes }: LiveTable, columns: readonly string[]): boolean {
  return indexes.some(
    (index) =>
      index.unique &&
      sameSet(
        index.columns.map(({ name }) => name),
        columns,
      ),
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

function glossary(tables: readonly LiveTable[]): string[] {
  const rows = tables.map(({ name }) => `| ${name} | ${SENTENCES[name]} |`);
  return ["| table | a row is |", "|---|---|", ...rows];
}

/** By code, since the engines sort names by collations of their own. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
