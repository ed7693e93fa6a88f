import { type LiveColumn, type LiveForeignKey, type LiveIndex, type LiveTable, primaryKeyOf } from "./liveSchema.js";
import {
  CHARSET,
  COLLATION,
  type ColumnDefinition,
  type IndexDefinition,
  isText,
  type Link,
  type TableDefinition,
} from "./tableDefinition.js";

/** What an existing table lacks of its definition, where that can be given to it. */

/** The columns as they have to become, where that differs: type, character set, collation or nullability. */
export function changedColumns(definition: TableDefinition, live: LiveTable): ColumnDefinition[] {
  return definition.columns.map((column) => asKeyed(column, live)).filter((column) => isChanged(column, live));
}

/** A later migration's primary key keeps its columns from being NULL. */
export function asKeyed(column: ColumnDefinition, live: LiveTable): ColumnDefinition {
  return primaryKeyOf(live)?.includes(column.name) ? { ...column, nullable: false } : column;
}

function isChanged(column: ColumnDefinition, live: LiveTable): boolean {
  const found = live.columns.find(({ name }) => name === column.name);
  return found !== undefined && !isAlike(column, found);
}

function isAlike(column: ColumnDefinition, found: LiveColumn): boolean {
  const spelledAlike = !isText(column) || (found.charset === CHARSET && found.collation === COLLATION);
  return column.type === found.type && column.nullable === found.nullable && spelledAlike;
}

/** Whether the definition's columns stand in its order; others may stand between them. */
export function isInOrder(definition: TableDefinition, live: LiveTable): boolean {
  const names = definition.columns.map(({ name }) => name);
  const found = live.columns.map(({ name }) => name).filter((name) => names.includes(name));
  return found.every((name, at) => name === names[at]);
}

export interface IndexChanges {
  readonly added: readonly IndexDefinition[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/** An index on the same columns under another name is renamed; others that are not the definition's stay. */
export function indexChanges(definition: TableDefinition, live: LiveTable): IndexChanges {
  const own = new Set(definition.indexes.map(({ name }) => name));
  const free = live.indexes.filter(({ name }) => !own.has(name));
  const added: IndexDefinition[] = [];
  const renamed: { from: string; to: string }[] = [];
  for (const index of definition.indexes) {
    if (live.indexes.some(({ name }) => name === index.name)) continue;
    const at = free.findIndex((candidate) => candidate.name !== "PRIMARY" && isSameIndex(index, candidate));
    const [twin] = at === -1 || index.name === "PRIMARY" ? [] : free.splice(at, 1);
    if (twin) renamed.push({ from: twin.name, to: index.name });
    else added.push(index);
  }
  return { added, renamed };
}

/** Whether both are on the same columns and alike unique; their names may differ. */
export function isSameIndex(index: IndexDefinition, found: LiveIndex): boolean {
  return (
    found.kind === "BTREE" &&
    found.visible &&
    found.unique === index.unique &&
    found.columns.length === index.columns.length &&
    found.columns.every(({ name, prefix, descending }, at) => name === index.columns[at] && !prefix && !descending)
  );
}

/** The foreign key from this column to that one, whatever its name and actions. */
export function foreignKeyOf(live: LiveTable, { column, references }: Link): LiveForeignKey | undefined {
  return live.foreignKeys.find(
    (key) =>
      key.columns.length === 1 &&
      key.columns[0] === column &&
      key.references.table === references.table &&
      key.references.columns[0] === references.column,
  );
}
