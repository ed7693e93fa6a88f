import { changedColumns, foreignKeyOf } from "./fit.js";
import type { LiveForeignKey, LiveSchema } from "./liveSchema.js";
import type { ForeignKeyDefinition, TableDefinition } from "./tableDefinition.js";

/** A foreign key between two of the tables. */
export interface Edge {
  readonly child: TableDefinition;
  readonly parent: TableDefinition;
  readonly key: ForeignKeyDefinition;
}

export function edgesOf(definitions: readonly TableDefinition[]): Edge[] {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  return definitions.flatMap((child) =>
    child.foreignKeys.flatMap((key) => {
      const parent = byName.get(key.references.table);
      return parent ? [{ child, parent, key }] : [];
    }),
  );
}

/** Whether a column at either end has still to be changed. False where one of the tables does not exist. */
export function isUnsettled({ child, parent, key }: Edge, schema: LiveSchema): boolean {
  const [from, to] = [schema.tables.get(child.name), schema.tables.get(parent.name)];
  if (!from || !to) return false;
  return (
    changedColumns(child, from).some(({ name }) => name === key.column) ||
    changedColumns(parent, to).some(({ name }) => name === key.references.column)
  );
}

/** The edge's foreign key as it is, whatever its name and actions. */
export function liveKeyOf({ child, key }: Edge, schema: LiveSchema): LiveForeignKey | undefined {
  const table = schema.tables.get(child.name);
  return table && foreignKeyOf(table, key);
}

/** Before its columns can be changed. */
export function mustBeDropped(edge: Edge, schema: LiveSchema): boolean {
  return !schema.foreignKeysBend && isUnsettled(edge, schema) && liveKeyOf(edge, schema) !== undefined;
}
