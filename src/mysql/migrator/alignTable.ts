import { type Edge, liveKeyOf, mustBeDropped } from "./edges.js";
import { asKeyed, changedColumns, indexChanges, isInOrder } from "./fit.js";
import type { LiveSchema, LiveTable } from "./liveSchema.js";
import { ANYTHING, COPYING, ONLINE, type Statement, type Step } from "./step.js";
import { CHARSET, COLLATION, columnSql, createTableSql, indexSql, type TableDefinition } from "./tableDefinition.js";

/**
 * Brings an existing table to its definition in one ALTER: columns, their order, keys' names and missing indexes, defaults.
 * `edges` are the foreign keys from it to other tables. What the definition does not know stays.
 */
export function alignTable(definition: TableDefinition, edges: readonly Edge[]): Step {
  return {
    text: `ALIGN ${createTableSql(definition)}`,
    subject: ANYTHING,
    needs: [{ kind: "shape", definition }, ...uniqueNeeds(definition), ...referenceNeeds(definition)],
    pending: (schema) => {
      const live = schema.tables.get(definition.name);
      return live && alignment(definition, live, edges, schema);
    },
  };
}

function alignment(
  definition: TableDefinition,
  live: LiveTable,
  edges: readonly Edge[],
  schema: LiveSchema,
): Statement | undefined {
  const columns = columnClauses(definition, live);
  const clauses = [
    ...edges.filter((edge) => mustBeDropped(edge, schema)).map((edge) => `DROP FOREIGN KEY ${nameOf(edge, schema)}`),
    ...columns,
    ...indexClauses(definition, live),
    ...optionClauses(live),
  ];
  if (clauses.length === 0) return undefined;
  const alter = (how: string) => `ALTER TABLE ${definition.name} ${[...clauses, how].join(", ")}`;
  const copy: Statement = {
    sql: alter(COPYING),
    table: definition.name,
    blocks: "writers",
    rebuilds: true,
    unchecked: true,
  };
  if (columns.length > 0) return copy;
  const rebuilds = live.rowFormat !== "Dynamic";
  return { ...copy, sql: alter(ONLINE), blocks: "nobody", rebuilds, otherwise: copy };
}

function nameOf(edge: Edge, schema: LiveSchema): string {
  return `\`${liveKeyOf(edge, schema)?.name}\``;
}

/** All of them when one is out of order, since a column's place is told by the one before it. */
function columnClauses(definition: TableDefinition, live: LiveTable): string[] {
  if (isInOrder(definition, live))
    return changedColumns(definition, live).map((column) => `MODIFY COLUMN ${columnSql(column)}`);
  return definition.columns.map((column, at) => {
    const before = definition.columns[at - 1];
    return `MODIFY COLUMN ${columnSql(asKeyed(column, live))} ${before ? `AFTER ${before.name}` : "FIRST"}`;
  });
}

function indexClauses(definition: TableDefinition, live: LiveTable): string[] {
  const { added, renamed } = indexChanges(definition, live);
  return [
    ...renamed.map(({ from, to }) => `RENAME INDEX \`${from}\` TO ${to}`),
    ...added.map((index) => `ADD ${indexSql(index)}`),
  ];
}

function optionClauses(live: LiveTable): string[] {
  return [
    ...(live.collation === COLLATION ? [] : [`DEFAULT CHARACTER SET ${CHARSET} COLLATE ${COLLATION}`]),
    ...(live.rowFormat === "Dynamic" ? [] : ["ROW_FORMAT=DYNAMIC"]),
  ];
}

function uniqueNeeds({ name, indexes }: TableDefinition) {
  return indexes
    .filter(({ unique }) => unique)
    .map((index) => ({
      kind: "unique" as const,
      table: name,
      columns: index.columns,
      notNull: index.name === "PRIMARY",
    }));
}

function referenceNeeds({ name, foreignKeys, links = [] }: TableDefinition) {
  const need = (enforced: boolean) => ({ kind: "reference" as const, table: name, enforced });
  return [
    ...foreignKeys.map(({ column, references }) => ({ ...need(true), column, references })),
    ...links.map(({ column, references }) => ({ ...need(false), column, references })),
  ];
}
