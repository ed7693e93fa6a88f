import { indexOf, type LiveTable, type LiveTrigger, primaryKeyOf } from "./liveSchema.js";
import { COPYING, ONLINE, type Statement, type Step, TRIGGERS_NOT_ALLOWED } from "./step.js";
import {
  type ColumnDefinition,
  columnSql,
  createTableSql,
  type IndexDefinition,
  indexSql,
  type TableDefinition,
} from "./tableDefinition.js";

/** The steps that migrations are made of. Each says of itself what is still missing, so each may be run again. */

/** Creates a table that is missing, and leaves one that is there alone. */
export function createTable(definition: TableDefinition): Step {
  const { name } = definition;
  const sql = createTableSql(definition);
  return {
    text: sql,
    subject: name,
    pending: ({ tables }) => (tables.has(name) ? undefined : { sql, table: name, blocks: "nobody", rebuilds: false }),
  };
}

/** `keepRows`: refuse while the table has rows, unless the operator allows the loss. */
export function dropTable(name: string, { keepRows }: { readonly keepRows: boolean }): Step {
  const sql = `DROP TABLE IF EXISTS ${name}`;
  return {
    text: sql,
    subject: name,
    pending: ({ tables }) => (tables.has(name) ? { sql, table: name, blocks: "everyone", rebuilds: false } : undefined),
    ...(keepRows && { loses: name }),
  };
}

/** Its columns become NOT NULL; rows that stand in the way are found before the run changes anything. */
export function addPrimaryKey(table: string, columns: readonly string[]): Step {
  const sql = `ALTER TABLE ${table} ADD PRIMARY KEY (${columns.join(", ")})`;
  return {
    text: sql,
    subject: table,
    needs: [{ kind: "unique", table, columns, notNull: true }],
    pending: ({ tables }) => (keyOf(tables.get(table)) ? undefined : onlineOrCopying(sql, table, { rebuilds: true })),
  };
}

/** `columns` become again what they were: nullable, mostly. */
export function dropPrimaryKey(table: string, columns: readonly ColumnDefinition[]): Step {
  const modified = columns.map((column) => `MODIFY ${columnSql(column)}`).join(", ");
  const sql = `ALTER TABLE ${table} DROP PRIMARY KEY, ${modified}`;
  return {
    text: sql,
    subject: table,
    pending: ({ tables }) => (keyOf(tables.get(table)) ? copying(sql, table) : undefined),
  };
}

/** An index of this name that is there already is taken for this one; `migrate check` tells whether it is. */
export function addIndex(table: string, index: IndexDefinition): Step {
  const sql = `ALTER TABLE ${table} ADD ${indexSql(index)}`;
  return {
    text: sql,
    subject: `${table}.${index.name}`,
    ...(index.unique && { needs: [{ kind: "unique", table, columns: index.columns, notNull: false } as const] }),
    pending: ({ tables }) =>
      hasIndex(tables.get(table), index.name) ? undefined : onlineOrCopying(sql, table, { rebuilds: false }),
  };
}

export function dropIndex(table: string, name: string): Step {
  const sql = `ALTER TABLE ${table} DROP KEY ${name}`;
  return {
    text: sql,
    subject: `${table}.${name}`,
    pending: ({ tables }) =>
      hasIndex(tables.get(table), name) ? onlineOrCopying(sql, table, { rebuilds: false }) : undefined,
  };
}

/** `event` is such as `BEFORE DELETE`; `body` is what follows FOR EACH ROW. */
export interface TriggerDefinition extends LiveTrigger {
  /** What to say where the server lets this user create no trigger (1419). */
  readonly refused: string;
}

/** Two steps, as MySQL cannot replace a trigger: one of this name that does something else goes first. */
export function createTrigger(definition: TriggerDefinition): readonly Step[] {
  const { name, event, table, body, refused } = definition;
  const sql = `CREATE TRIGGER ${name} ${event} ON ${table} FOR EACH ROW ${body}`;
  const found = (tables: ReadonlyMap<string, LiveTable>) => triggerOf(tables, name);
  const create: Step = {
    text: sql,
    subject: name,
    refusable: { errno: TRIGGERS_NOT_ALLOWED, warning: refused },
    pending: ({ tables }) => (found(tables) ? undefined : brief(sql, table)),
  };
  return [
    dropTriggerWhere(name, (trigger) => trigger.event !== event || trigger.table !== table || trigger.body !== body),
    create,
  ];
}

export function dropTrigger(name: string): Step {
  return dropTriggerWhere(name, () => true);
}

/** A statement that may be run any number of times to the same end; it is always pending. */
export function fill(table: string, sql: string): Step {
  return { text: sql, subject: table, pending: () => ({ sql, table, blocks: "writers", rebuilds: false }) };
}

function dropTriggerWhere(name: string, unfit: (trigger: LiveTrigger) => boolean): Step {
  const sql = `DROP TRIGGER IF EXISTS ${name}`;
  return {
    text: sql,
    subject: name,
    pending: ({ tables }) => {
      const trigger = triggerOf(tables, name);
      // Where triggers are refused, dropping one that is not there is refused too.
      return trigger && unfit(trigger) ? brief(sql, trigger.table) : undefined;
    },
  };
}

function triggerOf(tables: ReadonlyMap<string, LiveTable>, name: string): LiveTrigger | undefined {
  const triggers = [...tables.values()].flatMap((table) => table.triggers);
  return triggers.find((trigger) => trigger.name === name);
}

function keyOf(table: LiveTable | undefined): boolean {
  return table !== undefined && primaryKeyOf(table) !== undefined;
}

function hasIndex(table: LiveTable | undefined, name: string): boolean {
  return table !== undefined && indexOf(table, name) !== undefined;
}

/** Needs the table alone, but for a moment. */
function brief(sql: string, table: string): Statement {
  return { sql, table, blocks: "nobody", rebuilds: false };
}

function copying(sql: string, table: string): Statement {
  return { sql: `${sql}, ${COPYING}`, table, blocks: "writers", rebuilds: true };
}

/** Copying, MySQL makes no column of a foreign key NOT NULL but unchecked (1832); the copy has the same values. */
function onlineOrCopying(sql: string, table: string, { rebuilds }: { readonly rebuilds: boolean }): Statement {
  const otherwise = { ...copying(sql, table), unchecked: true } as const;
  return { sql: `${sql}, ${ONLINE}`, table, blocks: "nobody", rebuilds, otherwise };
}
