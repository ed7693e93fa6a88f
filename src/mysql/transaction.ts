import { setTimeout as sleep } from "node:timers/promises";
import type { DataSource, EntityManager } from "typeorm";
import { type Deadline, withDeadline } from "../deadline.js";
import { CommitUnknownError, DeadlineExceededError, InvalidInputError, TransactionRetriesError } from "../errors.js";
import type { Instruments } from "../telemetry/instruments.js";
import { type Borrowed, withLease } from "./borrowing.js";
import { isRetryable, saysNotCommitted } from "./driverErrors.js";
import type { Lease } from "./lease.js";
import { poolOf } from "./pool.js";
import { counted, countRetry } from "./telemetry/transactionCounts.js";

const MAX_RETRIES = 5;
const FIRST_BACKOFF_MS = 10;

export interface Transaction {
  /** Runs on the transaction's connection; refuses everything once the transaction has ended. */
  readonly manager: EntityManager;
}

const ISOLATION_LEVELS = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] as const;

export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

export interface TransactionOptions {
  /** One deadline over acquiring, all statements, commit, rollback and retries. Default: the configured query timeout. */
  readonly timeoutMs?: number;
  /** Ends the transaction early, as the deadline would. */
  readonly signal?: AbortSignal;
  /** Default: the server's. */
  readonly isolation?: IsolationLevel;
}

/**
 * Runs `work` in one transaction: commits when it resolves, rolls back and rethrows when it throws.
 * After a deadlock, a lock wait timeout or a snapshot conflict the whole of it, `work` included, runs again, at most 5 times.
 * @throws DeadlineExceededError, OperationAbortedError: not committed
 * @throws CommitUnknownError: COMMIT was sent and its answer lost; never retried
 * @throws InvalidInputError: `timeoutMs` is not a time, `isolation` not a level, or a statement would end or commit the transaction
 * @throws TransactionRetriesError, ReadOnlyError, QueryError, AcquireTimeoutError: not committed
 */
export async function runTransaction<T>(
  dataSource: DataSource,
  work: (tx: Transaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { queryTimeoutMs, instruments } = poolOf(dataSource);
  const timeoutMs = checkTimeout(options.timeoutMs ?? queryTimeoutMs);
  const overdue = () =>
    new DeadlineExceededError(`The transaction took longer than ${timeoutMs} ms; it was not committed`);
  const isolation = checkIsolation(options.isolation);
  const transaction = withDeadline({ timeoutMs, signal: options.signal, overdue }, (deadline) =>
    withRetries(deadline, instruments, () => attempt(dataSource, deadline, work, isolation)),
  );
  return instruments.measuring ? counted(instruments, transaction) : transaction;
}

function checkTimeout(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs < 2 ** 31) return timeoutMs;
  throw new InvalidInputError("timeoutMs", "must be above 0 and below 2^31 milliseconds");
}

function checkIsolation(isolation: IsolationLevel | undefined): IsolationLevel | undefined {
  if (isolation === undefined || ISOLATION_LEVELS.includes(isolation)) return isolation;
  throw new InvalidInputError("isolation", `must be one of ${ISOLATION_LEVELS.join(", ")}`);
}

async function withRetries<T>(deadline: Deadline, instruments: Instruments, run: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await run();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      if (attempts > MAX_RETRIES) throw new TransactionRetriesError(attempts, error.cause);
      countRetry(instruments, error);
      await deadline.race(sleep(backoffMs(attempts), undefined, { signal: deadline.signal }));
    }
  }
}

/** Full jitter, so that those who met do not meet again. */
function backoffMs(attempts: number): number {
  return Math.random() * FIRST_BACKOFF_MS * 2 ** attempts;
}

/** How far an attempt came: what the deadline, which comes from outside, has to know. */
interface Progress {
  commitSent: boolean;
  failure?: unknown;
}

async function attempt<T>(
  dataSource: DataSource,
  deadline: Deadline,
  work: (tx: Transaction) => Promise<T>,
  isolation: IsolationLevel | undefined,
): Promise<T> {
  const progress: Progress = { commitSent: false };
  try {
    return await withLease(dataSource, deadline, (borrowed) => perform(borrowed, deadline, progress, work, isolation));
  } catch (error) {
    if (error !== deadline.error) throw error;
    if (progress.commitSent) throw commitUnknown(error);
    // The deadline passed while rolling back: why it was rolled back says more.
    throw progress.failure ?? error;
  }
}

async function perform<T>(
  { lease, runner }: Borrowed,
  deadline: Deadline,
  progress: Progress,
  work: (tx: Transaction) => Promise<T>,
  isolation: IsolationLevel | undefined,
): Promise<T> {
  try {
    await runner.startTransaction(isolation);
    lease.guardTransaction();
    const result = await work({ manager: runner.manager });
    lease.seal();
    await commit(lease, deadline, progress);
    return result;
  } catch (error) {
    // A deadlock undid everything, whatever `work` made of it.
    progress.failure = error instanceof CommitUnknownError ? error : (lease.doomed ?? error);
    await rollBack(lease);
    throw progress.failure;
  }
}

async function commit(lease: Lease, deadline: Deadline, progress: Progress): Promise<void> {
  try {
    await lease.control("COMMIT", () => {
      lease.requireConnection();
      deadline.throwIfOver();
      progress.commitSent = true;
    });
  } catch (error) {
    if (progress.commitSent && !saysNotCommitted(error)) throw commitUnknown(error);
    progress.commitSent = false;
    throw error;
  }
}

/** Without ROLLBACK's answer the connection may still hold the transaction's locks. */
async function rollBack(lease: Lease): Promise<void> {
  lease.seal();
  await lease.control("ROLLBACK").catch(() => lease.destroy());
}

function commitUnknown(cause: unknown): CommitUnknownError {
  return new CommitUnknownError(
    "COMMIT was sent and its answer lost: the transaction may or may not be in the database. Look before you repeat it",
    { cause },
  );
}
