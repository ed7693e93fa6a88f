import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { groupBy } from "../repositories/groupBy.js";
import { type Queryable, readLiveSchema } from "./schemaReader.js";
import { blocksOf, type SchemaBlock, schemaBlocks } from "./schemaText.js";

/** How the live schema differs from the one that this version's migrations make. No tables: not at all. */
export interface Drift {
  readonly tables: readonly TableDrift[];
}

export interface TableDrift {
  readonly table: string;
  /** `- ` before what is expected and missing, `+ ` before what is there instead or besides. */
  readonly lines: readonly string[];
}

/** Compares the whole schema: tables, columns, collations, engines, keys, actions, triggers, and what is there besides. Reads only. */
export async function findDrift(queryable: Queryable): Promise<Drift> {
  return driftBetween(await expectedSchemaText(), schemaBlocks(await readLiveSchema(queryable)));
}

/** The committed dump of a freshly migrated database; the same file from source and from the published package. */
export function expectedSchemaText(): Promise<string> {
  // Not import.meta.resolve, which a TypeScript loader that compiles to CommonJS does not give.
  return readFile(createRequire(import.meta.url).resolve("#schema.sql"), "utf8");
}

export function driftBetween(expectedText: string, found: readonly SchemaBlock[]): Drift {
  const expected = blocksOf(expectedText);
  const tables = new Set([...expected, ...found].map(({ table }) => table));
  const drifts = [...tables].map((table) => ({ table, lines: linesOf(table, expected, found) }));
  return { tables: drifts.filter(({ lines }) => lines.length > 0) };
}

/** For people: a heading for each table, then its lines. */
export function driftText({ tables }: Drift): string {
  return tables.map(({ table, lines }) => [`${table}:`, ...lines.map((line) => `  ${line}`)].join("\n")).join("\n");
}

function linesOf(table: string, expected: readonly SchemaBlock[], found: readonly SchemaBlock[]): string[] {
  const titled = (blocks: readonly SchemaBlock[]) =>
    groupBy(
      blocks.filter((block) => block.table === table),
      ({ title }) => title,
    );
  const [wanted, present] = [titled(expected), titled(found)];
  const titles = new Set([...wanted.keys(), ...present.keys()]);
  return [...titles].flatMap((title) => compareBlocks(wanted.get(title)?.[0], present.get(title)?.[0]));
}

/** A block that is missing or too much is told by its title. */
function compareBlocks(expected: SchemaBlock | undefined, found: SchemaBlock | undefined): string[] {
  if (!expected || !found) return [expected ? `- ${expected.title}` : `+ ${found?.title}`];
  const [wanted, present] = [plain(expected), plain(found)];
  const missing = without(wanted, present);
  const extra = without(present, wanted);
  if (missing.length + extra.length > 0) {
    const place = expected.title.startsWith("CREATE TRIGGER") ? [`  ${expected.title}`] : [];
    return [...place, ...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)];
  }
  const moved = wanted.findIndex((line, at) => line !== present[at]);
  return moved === -1 ? [] : [`- ${wanted[moved]}`, `+ ${present[moved]} (in another order)`];
}

/** Whether a comma follows tells only where a line stands. */
function plain({ lines }: SchemaBlock): string[] {
  return lines.map((line) => line.trim().replace(/,$/, ""));
}

/** The lines of `lines` that are not in `others`, as often as they are more. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}
