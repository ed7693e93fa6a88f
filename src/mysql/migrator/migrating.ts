import type { DataSource } from "typeorm";
import { Execution } from "./execution.js";
import { releaseLock, takeLock } from "./lock.js";
import { Patience } from "./patience.js";
import type { Tell } from "./progress.js";
import { MigratorSession } from "./session.js";
import { aborted, Watch } from "./watch.js";

export interface MigratingOptions {
  readonly tell: Tell;
  readonly lockTimeoutMs?: number;
  readonly blockedTimeoutMs?: number;
  readonly silenceTimeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly interrupt?: AbortSignal;
}

/** What works on the database while the lock is held. */
export interface Migrating {
  readonly session: MigratorSession;
  readonly patience: Patience;
  readonly execution: Execution;
  readonly tell: Tell;
}

/** Runs `work` on a connection of its own that holds the lock and is watched. */
export function withMigratorSession<T>(
  dataSource: DataSource,
  options: MigratingOptions,
  work: (migrating: Migrating) => Promise<T>,
): Promise<T> {
  const { tell, lockTimeoutMs = 60_000 } = options;
  const database = String(dataSource.options.database);
  return withWatchedSession(dataSource, options, async (session, watch) => {
    await takeLock(session, { database, timeoutMs: lockTimeoutMs, tell, check: () => watch.throwIfAborted() });
    const patience = new Patience(session, watch, options);
    const execution = new Execution(session, patience, tell);
    const result = await work({ session, patience, execution, tell });
    // Sooner than by the end of the connection; that frees it too, should this fail.
    await releaseLock(session, database).catch(() => undefined);
    return result;
  });
}

/** Runs `use` on a connection of its own that is cut when the server answers no more: its statements have no time limit. */
export async function withWatchedSession<T>(
  dataSource: DataSource,
  { tell, silenceTimeoutMs = 30_000, signal, interrupt }: MigratingOptions,
  use: (session: MigratorSession, watch: Watch) => Promise<T>,
): Promise<T> {
  const session = await MigratorSession.open(dataSource);
  const watch = new Watch(dataSource, session, { tell, silenceMs: silenceTimeoutMs, signal, interrupt });
  try {
    watch.throwIfAborted();
    await session.setUp();
    return await use(session, watch);
  } catch (error) {
    // A statement that was stopped, of whatever kind, fails with the server's error.
    throw watch.isInterrupted ? aborted() : error;
  } finally {
    await watch.stop();
    await session.close();
  }
}
