import type { DataSource } from "typeorm";
import { type Deadline, type DeadlineOptions, withDeadline } from "../deadline.js";
import { DeadlineExceededError, MysqlPingError } from "../errors.js";
import { withLease } from "./borrowing.js";
import { connectionAdvice } from "./connectionAdvice.js";
import { toDataError } from "./driverErrors.js";
import { poolOf } from "./pool.js";

/**
 * Connects and pings, within `timeoutMs` milliseconds. Nothing stays open when it fails.
 * @throws MysqlPingError saying what to check
 */
export async function openDataSource(dataSource: DataSource, timeoutMs: number): Promise<void> {
  const initializing = dataSource.initialize();
  try {
    await withDeadline(pingDeadline(timeoutMs), async (deadline) => {
      await deadline.race(initializing);
      await ask(dataSource, deadline);
    });
  } catch (error) {
    initializing.catch(() => undefined);
    await closeDataSource(dataSource, 0);
    throw pingError(error);
  }
}

/** Waits at most `timeoutMs` milliseconds for statements in flight, then cuts them off. Never throws; harmless when closed. */
export async function closeDataSource(dataSource: DataSource, timeoutMs: number): Promise<void> {
  const pool = poolOf(dataSource);
  pool.drainMs = timeoutMs;
  if (dataSource.isInitialized) await dataSource.destroy();
  else await pool.close(timeoutMs);
}

function ask(dataSource: DataSource, deadline: Deadline): Promise<void> {
  return withLease(dataSource, deadline, ({ lease }) => lease.control("SELECT 1"), { spare: true });
}

export function pingDeadline(timeoutMs: number): DeadlineOptions {
  const overdue = () => new DeadlineExceededError(`MySQL did not answer within ${Math.round(timeoutMs)} ms`);
  return { timeoutMs, overdue };
}

export function pingError(error: unknown): MysqlPingError {
  const cause = toDataError(error);
  return new MysqlPingError(`${cause.message.replace(/\.$/, "")}. ${connectionAdvice(cause)}`, { cause });
}
