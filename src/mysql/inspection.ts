import type { DataSource } from "typeorm";
import { withDeadline } from "../deadline.js";
import { withLease } from "./borrowing.js";
import { toDataError } from "./driverErrors.js";
import { readHistory } from "./migrator/history.js";
import type { Queryable } from "./migrator/schemaReader.js";
import { type SchemaVersion, schemaVersionOf } from "./migrator/schemaVersion.js";
import type { SteppedMigration } from "./migrator/steppedMigration.js";
import { pingDeadline, pingError } from "./opening.js";

/** What a server that answers tells of itself. */
export interface MysqlInspection {
  readonly version: string;
  /** Whether the server refuses writes, at least those of ordinary users. */
  readonly readOnly: boolean;
  readonly replication: MysqlReplication;
  /** undefined: see `error`. */
  readonly schema: SchemaVersion | undefined;
  /** Why the schema's version could not be read. */
  readonly error: string | undefined;
}

/** `none`: it copies from nobody (others may copy from it). `unknown`: this user may not see it. */
export type MysqlReplication =
  | { readonly role: "none" | "unknown" }
  | {
      readonly role: "replica";
      /** Whether all of it runs: that which receives, and that which applies. */
      readonly running: boolean;
      /** As the server reckons; undefined while it cannot. */
      readonly secondsBehind: number | undefined;
    };

const ABOUT =
  "SELECT VERSION() AS version, @@GLOBAL.read_only AS readOnly, @@GLOBAL.innodb_read_only AS innodbReadOnly";
/** MariaDB tells only one of several sources without ALL. */
const ALL_REPLICAS = "SHOW ALL REPLICAS STATUS";
const REPLICA = "SHOW REPLICA STATUS";
/** Before MySQL 8.0.22, which brought the other and 8.4 took this away. */
const SLAVE = "SHOW SLAVE STATUS";

type Row = Readonly<Record<string, unknown>>;
type Server = Pick<MysqlInspection, "version" | "readOnly">;

/**
 * Asks the server three short things on one connection, within `timeoutMs` milliseconds, also while every connection is in use.
 * What fails after the first answer is told as unknown: the server is there.
 * @throws MysqlPingError saying what to check, when there is no first answer
 */
export async function inspectMysql(dataSource: DataSource, timeoutMs: number): Promise<MysqlInspection> {
  const found: { server?: Server; replication?: MysqlReplication; schema?: SchemaVersion } = {};
  let failure: unknown;
  try {
    await withDeadline(pingDeadline(timeoutMs), (deadline) =>
      withLease(
        dataSource,
        deadline,
        async ({ runner }) => {
          found.server = await readServer(runner);
          found.replication = await readReplication(runner, found.server.version);
          found.schema = schemaVersionOf(dataSource.migrations as SteppedMigration[], await readHistory(runner));
        },
        { spare: true },
      ),
    );
  } catch (error) {
    failure = error;
  }
  const { server, replication = { role: "unknown" }, schema } = found;
  if (!server) throw pingError(failure);
  return { ...server, replication, schema, error: schema ? undefined : toDataError(failure).message };
}

async function readServer(queryable: Queryable): Promise<Server> {
  const [row] = (await queryable.query(ABOUT)) as Row[];
  return { version: String(row?.version), readOnly: isOn(row?.readOnly) || isOn(row?.innodbReadOnly) };
}

/** Takes REPLICATION CLIENT (MariaDB: REPLICA MONITOR), which a service's user need not have. */
async function readReplication(queryable: Queryable, version: string): Promise<MysqlReplication> {
  try {
    return replicationOf((await queryable.query(replicationSql(version))) as Row[]);
  } catch {
    return { role: "unknown" };
  }
}

export function replicationSql(version: string): string {
  if (version.includes("MariaDB")) return ALL_REPLICAS;
  const [, patch] = /^8\.0\.(\d+)/.exec(version) ?? [];
  return patch !== undefined && Number(patch) < 22 ? SLAVE : REPLICA;
}

/** One row for each source. */
function replicationOf(rows: readonly Row[]): MysqlReplication {
  if (rows.length === 0) return { role: "none" };
  const lags = rows.map((row) => row.Seconds_Behind_Source ?? row.Seconds_Behind_Master ?? undefined);
  return {
    role: "replica",
    running: rows.every(isRunning),
    secondsBehind: lags.includes(undefined) ? undefined : Math.max(...lags.map(Number)),
  };
}

function isRunning(row: Row): boolean {
  const threads = [row.Replica_IO_Running ?? row.Slave_IO_Running, row.Replica_SQL_Running ?? row.Slave_SQL_Running];
  return threads.every((thread) => thread === "Yes");
}

/** A number, its digits, or from MariaDB 12 on a word. */
function isOn(value: unknown): boolean {
  return !["0", "OFF"].includes(String(value).toUpperCase());
}
