import { loadDotenv, loadMysqlConfig, type MysqlOnlyConfig } from "../config/index.js";
import { OperationAbortedError } from "../errors.js";
import { driftText } from "../mysql/migrator/drift.js";
import {
  checkSchema,
  migrationStatus,
  planMigrations,
  revertMigrations,
  runMigrations,
} from "../mysql/migrator/migrator.js";
import type { MigrationEvent } from "../mysql/migrator/progress.js";
import type { Logger } from "../telemetry/logger.js";
import { noticesTo, runCommand, tellNotices } from "./commandRun.js";
import { createMigration } from "./createMigration.js";
import { EXIT } from "./exitCodes.js";
import { type Interruption, listenForInterruption } from "./interruption.js";
import { doneText, planText, statusText, UP_TO_DATE } from "./migrationTexts.js";
import type { Reporter } from "./reporter.js";

export interface CommonOptions {
  readonly json?: boolean;
}

/** Waits in seconds. */
export interface RunOptions extends CommonOptions {
  readonly lockTimeout: number;
  readonly blockedTimeout: number;
}

export interface DownOptions extends RunOptions {
  readonly allowDataLoss?: boolean;
}

interface Context {
  readonly config: MysqlOnlyConfig;
  readonly reporter: Reporter;
  readonly logger: Logger;
}

/** The commands. Each sets the exit code of the process and never throws. */

export function up(options: RunOptions): Promise<void> {
  return changing(options, async ({ config, reporter }, running) => {
    const applied = await runMigrations(config, running.options);
    const text = applied.length === 0 ? UP_TO_DATE : doneText("Applied", applied);
    reporter.result({ applied, warnings: running.warnings }, text);
  });
}

export function down(steps: number, options: DownOptions): Promise<void> {
  const { allowDataLoss = false } = options;
  return changing(options, async ({ config, reporter }, running) => {
    const reverted = await revertMigrations(config, steps, { ...running.options, allowDataLoss });
    const text = reverted.length === 0 ? "Nothing to revert: no migration is applied." : doneText("Reverted", reverted);
    reporter.result({ reverted, warnings: running.warnings }, text);
  });
}

export function status(options: CommonOptions): Promise<void> {
  return onDatabase(options, async ({ config, reporter, logger }) => {
    const migrations = await migrationStatus(config, { logger });
    reporter.result({ migrations }, statusText(migrations));
    return EXIT.done;
  });
}

export function plan(options: CommonOptions): Promise<void> {
  return onDatabase(options, async ({ config, reporter, logger }) => {
    const migrations = await planMigrations(config, { logger });
    reporter.result({ migrations }, planText(migrations));
    return EXIT.done;
  });
}

export function check(options: CommonOptions): Promise<void> {
  return onDatabase(options, async ({ config, reporter, logger }) => {
    const drift = await checkSchema(config, { logger });
    const same = drift.tables.length === 0;
    reporter.result({ drift: drift.tables }, same ? "The schema is as this version expects it." : driftText(drift));
    if (same) return EXIT.done;
    const pending = (await migrationStatus(config, { logger })).filter(({ state }) => state !== "applied");
    if (pending.length > 0)
      reporter.note(`Not all migrations are applied (${pending.length} pending): see migrate status`);
    return EXIT.difference;
  });
}

export function create(name: string, options: CommonOptions): Promise<void> {
  return runCommand(options, async (reporter) => {
    const file = await createMigration(name, process.cwd(), Date.now());
    reporter.result(
      { file },
      `Created ${file} and added it to migrations/index.ts: write its steps, then run npm run schema.`,
    );
    return EXIT.done;
  });
}

interface Running {
  readonly options: {
    readonly logger: Logger;
    readonly lockTimeoutMs: number;
    readonly blockedTimeoutMs: number;
    readonly onProgress: (event: MigrationEvent) => void;
    readonly signal: AbortSignal;
    readonly interrupt: AbortSignal;
  };
  /** What the server refused and the run went on without. */
  readonly warnings: readonly string[];
}

/** A command that changes the database, can be interrupted, and then says what is left. */
function changing(options: RunOptions, work: (context: Context, running: Running) => Promise<void>): Promise<void> {
  return onDatabase(options, async (context) => {
    const interruption = listenForInterruption((line) => context.reporter.note(line));
    try {
      await work(context, runningWith(context, options, interruption));
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof OperationAbortedError) || !interruption.received) throw error;
      await tellWhatIsLeft(context, error);
      return EXIT[interruption.received];
    } finally {
      interruption.end();
    }
  });
}

function runningWith({ reporter, logger }: Context, options: RunOptions, { signal, interrupt }: Interruption): Running {
  const warnings: string[] = [];
  const onProgress = (event: MigrationEvent) => {
    if (event.kind === "refused") warnings.push(event.message);
    reporter.progress(event);
  };
  const [lockTimeoutMs, blockedTimeoutMs] = [options.lockTimeout * 1_000, options.blockedTimeout * 1_000];
  return { options: { logger, lockTimeoutMs, blockedTimeoutMs, onProgress, signal, interrupt }, warnings };
}

async function tellWhatIsLeft({ config, reporter, logger }: Context, error: OperationAbortedError): Promise<void> {
  // What could not be asked, of a server that froze perhaps, must not hide that the run was stopped.
  const statuses = await migrationStatus(config, { logger }).catch(() => undefined);
  if (!statuses) return reporter.failure(error);
  const left = statuses.filter(({ state }) => state !== "applied").map(({ name }) => name);
  reporter.failure(error, { details: `Not applied: ${left.join(", ") || "none"}`, data: { left } });
}

function onDatabase(options: CommonOptions, work: (context: Context) => Promise<number>): Promise<void> {
  return runCommand(options, (reporter) => {
    loadDotenv();
    const config = loadMysqlConfig();
    tellNotices(config.notices, reporter);
    return work({ config, reporter, logger: noticesTo(reporter) });
  });
}
