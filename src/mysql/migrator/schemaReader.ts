import { groupBy } from "../repositories/groupBy.js";
import type {
  LiveCheck,
  LiveColumn,
  LiveForeignKey,
  LiveIndex,
  LiveSchema,
  LiveTable,
  LiveTrigger,
  ReferentialAction,
  TableSize,
} from "./liveSchema.js";
import { columnDefault, columnExtra, columnType, modernName } from "./spelling.js";

/** A connection or DataSource. The schema read is that of its current database. */
export interface Queryable {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

const DATABASE = `SELECT VERSION() AS version, DATABASE() AS name,
    (SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()) AS collation`;
/** Since MySQL 9.6, where it is OFF unless set; before, there was no other way. */
const NATIVE_FOREIGN_KEYS = "SHOW VARIABLES LIKE 'innodb_native_foreign_keys'";
const TABLES = `SELECT TABLE_NAME AS name, TABLE_TYPE AS type, ENGINE AS engine, TABLE_COLLATION AS collation,
    ROW_FORMAT AS rowFormat, CREATE_OPTIONS AS options
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME`;
const COLUMNS = `SELECT TABLE_NAME AS tableName, COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable,
    COLUMN_DEFAULT AS fallback, CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation, EXTRA AS extra,
    GENERATION_EXPRESSION AS generation
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`;
/** The engines name what only one of them has (EXPRESSION, IS_VISIBLE; IGNORED), so every column is read. */
const INDEXES = `SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
  ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`;
const FOREIGN_KEYS = `SELECT k.CONSTRAINT_NAME AS name, k.TABLE_SCHEMA AS tableSchema, k.TABLE_NAME AS tableName,
    k.COLUMN_NAME AS columnName, k.REFERENCED_TABLE_SCHEMA AS parentSchema, k.REFERENCED_TABLE_NAME AS parent,
    k.REFERENCED_COLUMN_NAME AS parentColumn, r.DELETE_RULE AS onDelete, r.UPDATE_RULE AS onUpdate
  FROM information_schema.KEY_COLUMN_USAGE k
  JOIN information_schema.REFERENTIAL_CONSTRAINTS r
    ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
  WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND (k.TABLE_SCHEMA = DATABASE() OR k.REFERENCED_TABLE_SCHEMA = DATABASE())
  ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`;
const TRIGGERS = `SELECT TRIGGER_NAME AS name, ACTION_TIMING AS timing, EVENT_MANIPULATION AS event,
    EVENT_OBJECT_TABLE AS tableName, ACTION_STATEMENT AS body
  FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME`;
const CHECKS = `SELECT t.TABLE_NAME AS tableName, t.CONSTRAINT_NAME AS name, c.CHECK_CLAUSE AS clause
  FROM information_schema.TABLE_CONSTRAINTS t
  JOIN information_schema.CHECK_CONSTRAINTS c
    ON c.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = t.CONSTRAINT_NAME`;
/** MySQL's checks are named once a database, MariaDB's once a table. */
const CHECKS_OF = { mysql: CHECKS, mariadb: `${CHECKS} AND c.TABLE_NAME = t.TABLE_NAME` } as const;
const IN_DATABASE =
  "WHERE t.TABLE_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK' ORDER BY t.TABLE_NAME, t.CONSTRAINT_NAME";
const SIZES = `SELECT TABLE_NAME AS name, TABLE_ROWS AS tableRows, DATA_LENGTH + INDEX_LENGTH AS bytes
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'`;

type Row = Readonly<Record<string, string | null>>;

/** Reads the schema; changes nothing. What this user has no privilege on is not seen: triggers need TRIGGER. */
export async function readLiveSchema(queryable: Queryable): Promise<LiveSchema> {
  const read = async (sql: string) => (await queryable.query(sql)) as Row[];
  const [about] = await read(DATABASE);
  const engine = about?.version?.includes("MariaDB") ? "mariadb" : "mysql";
  const [native] = await read(NATIVE_FOREIGN_KEYS);
  const tables = await read(TABLES);
  const columns = groupByTable(await read(COLUMNS));
  const indexes = groupByTable((await read(INDEXES)).map((row) => ({ ...row, tableName: row.TABLE_NAME as string })));
  const foreignKeys = toForeignKeys(await read(FOREIGN_KEYS), String(about?.name));
  const triggers = groupByTable(await read(TRIGGERS));
  const checks = groupByTable(await read(`${CHECKS_OF[engine]} ${IN_DATABASE}`));
  const toTable = (row: Row): LiveTable => {
    const name = String(row.name);
    return {
      name,
      engine: String(row.engine),
      collation: modernName(row.collation) ?? "",
      rowFormat: String(row.rowFormat),
      partitioned: /partitioned/i.test(row.options ?? ""),
      columns: (columns.get(name) ?? []).map((column) => toColumn(column, engine)),
      indexes: toIndexes(indexes.get(name) ?? []),
      foreignKeys: foreignKeys.filter(({ table }) => table === name),
      triggers: (triggers.get(name) ?? []).map(toTrigger),
      checks: (checks.get(name) ?? []).map(toCheck),
    };
  };
  const base = tables.filter(({ type }) => type === "BASE TABLE");
  return {
    engine,
    foreignKeysBend: engine === "mysql" && native?.Value !== "OFF",
    version: String(about?.version),
    database: String(about?.name),
    collation: modernName(about?.collation) ?? "",
    tables: new Map(base.map((row) => [String(row.name), toTable(row)])),
    views: new Set(tables.filter((row) => !base.includes(row)).map(({ name }) => String(name))),
    referencedFromElsewhere: foreignKeys.filter(({ table }) => table.includes(".")),
  };
}

/** Rows and bytes of each table, as the engine estimates them. */
export async function readTableSizes(queryable: Queryable): Promise<ReadonlyMap<string, TableSize>> {
  const rows = (await queryable.query(SIZES)) as Row[];
  return new Map(rows.map((row) => [String(row.name), { rows: Number(row.tableRows), bytes: Number(row.bytes) }]));
}

function toColumn(row: Row, engine: LiveSchema["engine"]): LiveColumn {
  return {
    name: String(row.name),
    type: columnType(String(row.type)),
    nullable: row.nullable === "YES",
    default: columnDefault(row, engine),
    charset: modernName(row.charset),
    collation: modernName(row.collation),
    extra: columnExtra(row),
  };
}

function toIndexes(rows: readonly Row[]): LiveIndex[] {
  const names = [...new Set(rows.map((row) => String(row.INDEX_NAME)))];
  return names.map((name) => {
    const parts = rows.filter((row) => row.INDEX_NAME === name);
    return {
      name,
      unique: Number(parts[0]?.NON_UNIQUE) === 0,
      kind: String(parts[0]?.INDEX_TYPE),
      visible: parts[0]?.IS_VISIBLE !== "NO" && parts[0]?.IGNORED !== "YES",
      columns: parts.map((part) => ({
        name: part.COLUMN_NAME ?? `(${part.EXPRESSION})`,
        prefix: part.SUB_PART === null ? undefined : Number(part.SUB_PART),
        descending: part.COLLATION === "D",
      })),
    };
  });
}

function toForeignKeys(rows: readonly Row[], database: string): LiveForeignKey[] {
  const qualified = (schema: string | null | undefined, table: string | null | undefined) =>
    schema === database ? String(table) : `${schema}.${table}`;
  const identity = ({ tableSchema, tableName, name }: Row) => JSON.stringify([tableSchema, tableName, name]);
  const groups = groupBy(rows, identity);
  return [...groups.values()].map((parts) => {
    const first = parts[0] as Row;
    return {
      name: String(first.name),
      table: qualified(first.tableSchema, first.tableName),
      columns: parts.map(({ columnName }) => String(columnName)),
      references: {
        table: qualified(first.parentSchema, first.parent),
        columns: parts.map(({ parentColumn }) => String(parentColumn)),
      },
      onDelete: toAction(first.onDelete),
      onUpdate: toAction(first.onUpdate),
    };
  });
}

function toAction(rule: string | null | undefined): ReferentialAction {
  return rule === "RESTRICT" ? "NO ACTION" : (rule as ReferentialAction);
}

function toTrigger(row: Row): LiveTrigger {
  return {
    name: String(row.name),
    event: `${row.timing} ${row.event}`,
    table: String(row.tableName),
    body: String(row.body),
  };
}

function toCheck({ name, clause }: Row): LiveCheck {
  return { name: String(name), clause: String(clause) };
}

function groupByTable(rows: readonly Row[]): ReadonlyMap<string, Row[]> {
  return groupBy(rows, ({ tableName }) => String(tableName));
}
