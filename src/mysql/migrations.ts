import { createHash } from "node:crypto";
import { type DataSource, MigrationExecutor, type QueryRunner } from "typeorm";
import type { DataConfig } from "../config/types.js";
import { MigrationLockError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import { createDataSource } from "./dataSource.js";
import { closeDataSource, openDataSource } from "./opening.js";

const MIGRATIONS_TABLE = "migrations";
const CLOSE_TIMEOUT_MS = 1_000;

export interface RunMigrationsOptions {
  readonly logger?: Logger;
  /** How long to wait for another process that migrates the same database. Default 60,000 ms. */
  readonly lockTimeoutMs?: number;
  /** Is told each step in one line. */
  readonly onProgress?: (line: string) => void;
}

/** The names of the migrations that the database lacks, in order. Reads only. */
export async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const known = dataSource.migrations.map((migration) => migration.constructor.name);
  const runner = dataSource.createQueryRunner();
  try {
    if (!(await runner.hasTable(MIGRATIONS_TABLE))) return known;
    const executed: { name: string }[] = await runner.query(`SELECT name FROM ${MIGRATIONS_TABLE}`);
    return known.filter((name) => !executed.some((row) => row.name === name));
  } finally {
    await runner.release();
  }
}

/**
 * Brings the database up to date, on a pool of its own without statement limits, and returns the names of what it ran.
 * Several processes may do so at once: one works, the others wait and find nothing left.
 * @throws MysqlPingError when the server does not answer within the connect timeout
 * @throws MigrationLockError when another process held the lock for `lockTimeoutMs`
 * @throws QueryError when a migration fails; those before it stay, and the next run goes on from there
 */
export async function runMigrations(
  config: Pick<DataConfig, "mysql">,
  options: RunMigrationsOptions = {},
): Promise<string[]> {
  const dataSource = createMigrationDataSource(config, options);
  await openDataSource(dataSource, config.mysql.connectTimeoutMs + CLOSE_TIMEOUT_MS);
  try {
    const executed = await dataSource.runMigrations();
    for (const { name } of executed) options.onProgress?.(`Applied ${name}`);
    return executed.map(({ name }) => name);
  } finally {
    await closeDataSource(dataSource, CLOSE_TIMEOUT_MS);
  }
}

/** A DataSource for migrations, TypeORM's command line included: no statement limits, and one migrator at a time. */
export function createMigrationDataSource(
  config: Pick<DataConfig, "mysql">,
  { logger, lockTimeoutMs = 60_000, onProgress }: RunMigrationsOptions = {},
): DataSource {
  const dataSource = createDataSource(config, { ...(logger && { logger }), limitStatements: false });
  const locked = <T>(work: (executor: MigrationExecutor) => Promise<T>) =>
    withMigrationLock(dataSource, { lockTimeoutMs, onProgress }, (runner) => {
      const executor = new MigrationExecutor(dataSource, runner);
      executor.transaction = "each";
      return work(executor);
    });
  dataSource.runMigrations = (options) =>
    locked((executor) => {
      executor.fake = options?.fake ?? false;
      return executor.executePendingMigrations();
    });
  dataSource.undoLastMigration = () => locked((executor) => executor.undoLastMigration());
  return dataSource;
}

/** TypeORM takes no lock. Lock and migrations share one connection, so that a migrator that lost the lock cannot go on. */
async function withMigrationLock<T>(
  dataSource: DataSource,
  { lockTimeoutMs, onProgress }: { lockTimeoutMs: number; onProgress: RunMigrationsOptions["onProgress"] },
  work: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const runner = dataSource.createQueryRunner();
  try {
    onProgress?.("Waiting for the migration lock");
    await takeLock(runner, lockName(String(dataSource.options.database)), lockTimeoutMs);
    return await work(runner);
  } finally {
    // The session keeps the lock, so its connection is closed instead of returned; that frees the lock.
    await runner.release();
  }
}

async function takeLock(runner: QueryRunner, name: string, timeoutMs: number): Promise<void> {
  const [answer]: { got: unknown }[] = await runner.query("SELECT GET_LOCK(?, ?) AS got", [
    name,
    Math.ceil(timeoutMs / 1_000),
  ]);
  if (Number(answer?.got) === 1) return;
  throw new MigrationLockError(
    `Another process held the migration lock ${JSON.stringify(name)} for ${timeoutMs} ms; wait until it has finished, then start again`,
  );
}

/** The lock belongs to the server, not to the database; its name has at most 64 characters. */
function lockName(database: string): string {
  const name = `doordarshan-data:migrate:${database}`;
  return name.length <= 64
    ? name
    : `doordarshan-data:migrate:${createHash("sha256").update(database).digest("hex").slice(0, 32)}`;
}
