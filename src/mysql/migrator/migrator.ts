import { type DataSource, Migration } from "typeorm";
import type { DataConfig } from "../../config/types.js";
import { InvalidInputError } from "../../errors.js";
import { lineLogger } from "../../telemetry/lineLogger.js";
import type { Logger } from "../../telemetry/logger.js";
import { createDataSource } from "../dataSource.js";
import { closeDataSource, openDataSource } from "../opening.js";
import { applyPending } from "./applying.js";
import { type Drift, findDrift } from "./drift.js";
import { compareHistory, readHistory } from "./history.js";
import { withMigratorSession, withWatchedSession } from "./migrating.js";
import { Patience } from "./patience.js";
import { type MigrationPlan, planPending } from "./plan.js";
import type { MigrationEvent, Tell } from "./progress.js";
import { revertLast } from "./reverting.js";
import type { MigratorSession } from "./session.js";
import { type MigrationStatus, statusOf } from "./status.js";
import type { SteppedMigration } from "./steppedMigration.js";
import type { Watch } from "./watch.js";

export interface MigrationOptions {
  readonly logger?: Logger;
  /** How long to wait for another process that migrates the same database, in milliseconds. Default 60,000. */
  readonly lockTimeoutMs?: number;
  /**
   * How long one statement may be kept waiting by others' use of its table, in milliseconds. Each attempt waits a second at
   * most, so that nobody queues behind it for longer. Default 60,000.
   */
  readonly blockedTimeoutMs?: number;
  /** How long the server may leave the migrator without an answer, in milliseconds, before it gives up. Default 30,000. */
  readonly silenceTimeoutMs?: number;
  /** Is told what happens. Must not throw. */
  readonly onProgress?: (event: MigrationEvent) => void;
  /** Ends the run before its next statement; what was done stays, and the next run goes on from there. */
  readonly signal?: AbortSignal;
  /** Ends the run at once: a statement in flight is stopped, and what it did is undone. */
  readonly interrupt?: AbortSignal;
}

export interface RevertOptions extends MigrationOptions {
  /** Drop tables that have rows. Default false. */
  readonly allowDataLoss?: boolean;
}

type Config = Pick<DataConfig, "mysql">;
const CLOSE_TIMEOUT_MS = 1_000;
const LEVELS: Partial<Record<MigrationEvent["kind"], "debug" | "warn">> = { running: "debug", refused: "warn" };

/**
 * Brings the database up to date and returns the names of what it applied. Several processes may do so at once: one works,
 * the others wait and find nothing left. Without limits on statements; a run that was killed is gone on with by the next.
 * @throws InvalidInputError when a time of `options` is out of its bounds
 * @throws MysqlPingError when the server does not answer within the connect timeout
 * @throws MigrationLockError when another process held the lock for `lockTimeoutMs`
 * @throws MigrationHistoryError when what was applied does not fit this version; nothing is changed
 * @throws MigrationTableError when another program has a table `migrations` there; nothing is changed
 * @throws MigrationSettingError when the server would give tables keys of its own; nothing is changed
 * @throws AdoptionError when tables or rows stand in the way; nothing is changed
 * @throws MigrationBlockedError when others held a table for `blockedTimeoutMs`
 * @throws MigrationFailedError when a statement fails
 * @throws DeadlineExceededError when the server did not answer for `silenceTimeoutMs`
 * @throws OperationAbortedError when `signal` or `interrupt` fired
 */
export function runMigrations(config: Config, options: MigrationOptions = {}): Promise<string[]> {
  return withMigrator(config, options, (dataSource) => up(dataSource, options));
}

/**
 * Takes the last `count` migrations back, the newest first, and returns their names; fewer where there are fewer.
 * @throws DataLossError when tables with rows would be dropped, unless `allowDataLoss`; nothing is changed, or no more, where the rows came meanwhile
 * @throws what `runMigrations` throws, but AdoptionError
 */
export async function revertMigrations(config: Config, count = 1, options: RevertOptions = {}): Promise<string[]> {
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidInputError("count", "must be a whole number above 0");
  return withMigrator(config, options, (dataSource) => down(dataSource, count, options));
}

/** What each migration's state is, also those that this version does not have. Reads only, without the lock. @throws MigrationTableError */
export function migrationStatus(config: Config, options: MigrationOptions = {}): Promise<MigrationStatus[]> {
  return withMigrator(config, options, (dataSource) =>
    reading(dataSource, options, async (session) => statusOf(known(dataSource), await readHistory(session))),
  );
}

/**
 * What `runMigrations` would do now, statement by statement. Reads only, without the lock.
 * @throws MigrationHistoryError, MigrationTableError, AdoptionError, MigrationBlockedError as `runMigrations` does
 */
export function planMigrations(config: Config, options: MigrationOptions = {}): Promise<MigrationPlan[]> {
  return withMigrator(config, options, (dataSource) =>
    reading(dataSource, options, (session, watch) => {
      const patience = new Patience(session, watch, { ...options, tell: teller(options) });
      return planPending(session, patience, known(dataSource));
    }),
  );
}

/** How the schema differs from what this version's migrations make. Reads only, without the lock. */
export function checkSchema(config: Config, options: MigrationOptions = {}): Promise<Drift> {
  return withMigrator(config, options, (dataSource) => reading(dataSource, options, findDrift));
}

/**
 * The names of the migrations that the database lacks, in order. Reads only.
 * @throws MigrationHistoryError when what was applied does not fit this version
 * @throws MigrationTableError as `runMigrations` does
 */
export async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const standings = compareHistory(known(dataSource), await readHistory(dataSource));
  return standings.filter(({ state }) => state !== "applied").map(({ migration }) => migration.name);
}

/** A DataSource for migrations, TypeORM's command line included, whose run, revert and show go the same way as the functions above. */
export function createMigrationDataSource(config: Config, options: MigrationOptions = {}): DataSource {
  checkTimes(options);
  const { logger } = options;
  const { migrationCredentials: credentials = config.mysql.credentials } = config.mysql;
  const mysql = { ...config.mysql, credentials };
  const dataSource = createDataSource({ mysql }, { ...(logger && { logger }), limitStatements: false });
  dataSource.runMigrations = async (how) => {
    const names = await up(dataSource, options, { fake: how?.fake ?? false });
    return known(dataSource)
      .filter(({ name }) => names.includes(name))
      .map((migration) => new Migration(undefined, migration.timestamp, migration.name, migration));
  };
  dataSource.undoLastMigration = async () => {
    await down(dataSource, 1, options);
  };
  dataSource.showMigrations = () => show(dataSource);
  return dataSource;
}

function checkTimes(options: MigrationOptions): void {
  for (const option of ["lockTimeoutMs", "blockedTimeoutMs", "silenceTimeoutMs"] as const) {
    const { [option]: ms = 0 } = options;
    if (!(ms >= 0 && ms < 2 ** 31)) throw new InvalidInputError(option, "must be from 0 to below 2^31 milliseconds");
  }
}

/** TypeORM's instances of the classes it was given, in order. */
function known(dataSource: DataSource): SteppedMigration[] {
  const migrations = dataSource.migrations as SteppedMigration[];
  return migrations.toSorted((a, b) => a.timestamp - b.timestamp);
}

function up(dataSource: DataSource, options: MigrationOptions, how = { fake: false }): Promise<string[]> {
  const tell = teller(options);
  return withMigratorSession(dataSource, { ...options, tell }, (run) => applyPending(run, known(dataSource), how));
}

function reading<T>(
  dataSource: DataSource,
  options: MigrationOptions,
  use: (session: MigratorSession, watch: Watch) => Promise<T>,
): Promise<T> {
  return withWatchedSession(dataSource, { ...options, tell: teller(options) }, use);
}

function down(dataSource: DataSource, count: number, options: RevertOptions): Promise<string[]> {
  const tell = teller(options);
  const { allowDataLoss = false } = options;
  return withMigratorSession(dataSource, { ...options, tell }, (run) =>
    revertLast(run, known(dataSource), { count, allowDataLoss }),
  );
}

/** As TypeORM prints it. */
async function show(dataSource: DataSource): Promise<boolean> {
  const statuses = statusOf(known(dataSource), await readHistory(dataSource));
  for (const [index, { name, state }] of statuses.entries())
    dataSource.logger.logSchemaBuild(`${state === "pending" ? "[ ]" : `[X] ${index + 1}`} ${name}`);
  return statuses.some(({ state }) => state === "pending");
}

function teller({ logger, onProgress }: MigrationOptions): Tell {
  const lines = logger && lineLogger(logger);
  return (event) => {
    const { message, ...fields } = event;
    lines?.[LEVELS[event.kind] ?? "info"]({ event: "mysql.migration", ...fields }, message);
    onProgress?.(event);
  };
}

async function withMigrator<T>(
  config: Config,
  options: MigrationOptions,
  use: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = createMigrationDataSource(config, options);
  await openDataSource(dataSource, config.mysql.connectTimeoutMs + CLOSE_TIMEOUT_MS);
  try {
    return await use(dataSource);
  } finally {
    await closeDataSource(dataSource, CLOSE_TIMEOUT_MS);
  }
}
