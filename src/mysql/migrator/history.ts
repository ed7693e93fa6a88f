import { type HistoryProblem, MigrationHistoryError, MigrationTableError, QueryError } from "../../errors.js";
import type { LiveTable } from "./liveSchema.js";
import type { Need } from "./needs.js";
import type { Queryable } from "./schemaReader.js";
import type { Step } from "./step.js";
import type { SteppedMigration } from "./steppedMigration.js";
import { CHARSET, COLLATION, TABLE_OPTIONS } from "./tableDefinition.js";

/** TypeORM's table, so that its commands show what has run; checksum and time are ours. */
export const HISTORY = "migrations";
const TEXT = `CHARACTER SET ${CHARSET} COLLATE ${COLLATION}`;
const CHECKSUM = `checksum varchar(64) ${TEXT} NULL`;
const APPLIED_AT = "applied_at datetime(3) NULL";
const CREATE = `CREATE TABLE IF NOT EXISTS ${HISTORY} (id int NOT NULL AUTO_INCREMENT, timestamp bigint NOT NULL, name varchar(255) ${TEXT} NOT NULL, ${CHECKSUM}, ${APPLIED_AT}, PRIMARY KEY (id)) ${TABLE_OPTIONS}`;
const CONVERT = `CONVERT TO ${TEXT}, ROW_FORMAT=DYNAMIC, ALGORITHM=COPY, LOCK=SHARED`;
const NO_SUCH_TABLE = 1146;
const NO_SUCH_COLUMN = 1054;
/** Stands in a checksum's place while the migration's steps down run: half undone, neither applied nor gone. */
const REVERTING = "reverting";

const FIND = `SELECT * FROM ${HISTORY} ORDER BY timestamp, name, id`;
const INSERT = `INSERT INTO ${HISTORY} (timestamp, name, checksum, applied_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))`;
const SET_AGAIN = `UPDATE ${HISTORY} SET checksum = ?, applied_at = UTC_TIMESTAMP(3) WHERE name = ?`;
const UPDATE = `UPDATE ${HISTORY} SET checksum = ? WHERE name = ?`;
const DELETE = `DELETE FROM ${HISTORY} WHERE name = ?`;

/** The last two are missing from a table that TypeORM made. */
interface Row {
  readonly name: string;
  readonly timestamp: unknown;
  readonly checksum?: string | null;
  readonly applied_at?: Date | null;
}

/** A row of the history. */
export interface HistoryRow {
  readonly name: string;
  readonly timestamp: number;
  /** Null in rows that TypeORM wrote. */
  readonly checksum: string | null;
  /** Null in rows that TypeORM wrote. */
  readonly appliedAt: Date | null;
}

/** What the history says of the migrations this version has. */
export interface Standing {
  readonly migration: SteppedMigration;
  readonly state: "applied" | "pending" | "reverting";
  readonly row: HistoryRow | undefined;
}

/** The history's table as it has to be, before anything is recorded. */
export const historyTable: Step = {
  text: CREATE,
  subject: HISTORY,
  pending: ({ tables }) => {
    const sql = missingOf(tables.get(HISTORY));
    return sql === undefined ? undefined : { sql, table: HISTORY, blocks: "nobody", rebuilds: false };
  },
};

/** TypeORM makes it with the database's collation. */
function missingOf(table: LiveTable | undefined): string | undefined {
  if (!table) return CREATE;
  if (!table.columns.some(({ name }) => name === "checksum"))
    return `ALTER TABLE ${HISTORY} ADD ${CHECKSUM}, ADD ${APPLIED_AT}, ${CONVERT}`;
  return table.collation === COLLATION ? undefined : `ALTER TABLE ${HISTORY} ${CONVERT}`;
}

/** In the order of their timestamps; empty where there is no table. @throws MigrationTableError */
export async function readHistory(queryable: Queryable): Promise<HistoryRow[]> {
  try {
    return ((await queryable.query(FIND)) as Row[]).map((row) => ({
      name: row.name,
      timestamp: Number(row.timestamp),
      checksum: row.checksum ?? null,
      appliedAt: row.applied_at ?? null,
    }));
  } catch (error) {
    if (error instanceof QueryError && error.errno === NO_SUCH_TABLE) return [];
    if (error instanceof QueryError && error.errno === NO_SUCH_COLUMN) throw new MigrationTableError(HISTORY, error);
    throw error;
  }
}

/**
 * Compares the history with the migrations of this version.
 * @throws MigrationHistoryError listing every applied migration that was edited, is missing here or newer, and each out of order
 */
export function compareHistory(migrations: readonly SteppedMigration[], history: readonly HistoryRow[]): Standing[] {
  const standings = standingsOf(migrations, history);
  const problems = problemsOf(standings, history);
  if (problems.length > 0) throw new MigrationHistoryError(problems);
  return standings;
}

export function standingsOf(migrations: readonly SteppedMigration[], history: readonly HistoryRow[]): Standing[] {
  return migrations.map((migration) => {
    const row = history.find(({ name }) => name === migration.name);
    const state = !row ? "pending" : row.checksum === REVERTING ? "reverting" : "applied";
    return { migration, state, row };
  });
}

export function problemsOf(standings: readonly Standing[], history: readonly HistoryRow[]): HistoryProblem[] {
  const newest = Math.max(...standings.map(({ migration }) => migration.timestamp));
  const lastApplied = Math.max(...history.map(({ timestamp }) => timestamp));
  const known = new Set(standings.map(({ migration }) => migration.name));
  const unknown = history.filter(({ name }) => !known.has(name));
  const edited = standings.filter(({ state, row, migration }) => {
    return state === "applied" && row?.checksum && row.checksum !== migration.checksum;
  });
  const late = standings.filter(({ state, migration }) => state === "pending" && migration.timestamp < lastApplied);
  return [
    ...unknown.map(({ name, timestamp }) => ({ name, problem: timestamp > newest ? "newer" : "missing" }) as const),
    ...edited.map(({ migration: { name } }) => ({ name, problem: "edited" }) as const),
    ...late.map(({ migration: { name } }) => ({ name, problem: "out-of-order" }) as const),
  ];
}

/** What the steps up of these need. */
export function needsOf(standings: readonly Standing[]): Need[] {
  return standings.flatMap(({ migration }) => migration.upSteps.flatMap((step) => step.needs ?? []));
}

/** A statement that changes the history. */
export type Entry = readonly [sql: string, parameters: readonly unknown[]];

/** After the last step up. */
export function applied({ migration, row }: Standing): Entry {
  const { name, timestamp, checksum } = migration;
  return row ? [SET_AGAIN, [checksum, name]] : [INSERT, [timestamp, name, checksum]];
}

/** Rows that TypeORM wrote get the checksum of what is here: from now on an edit is noticed. */
export function missingChecksums(standings: readonly Standing[]): Entry[] {
  const unsigned = standings.filter(({ row }) => row && row.checksum === null);
  return unsigned.map(({ migration: { name, checksum } }) => [UPDATE, [checksum, name]]);
}

/** Before the first step down. */
export function reverting({ migration }: Standing): Entry {
  return [UPDATE, [REVERTING, migration.name]];
}

/** After the last step down. */
export function reverted({ migration }: Standing): Entry {
  return [DELETE, [migration.name]];
}
