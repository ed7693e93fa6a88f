import { CommitUnknownError, type QueryError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import { errorType } from "./errorType.js";

/** Counts a transaction by how it ends; one that got no connection is rolled back too: nothing was done. */
export async function counted<T>(instruments: Instruments, transaction: Promise<T>): Promise<T> {
  try {
    const result = await transaction;
    instruments.count(METRICS.transactions, { outcome: "committed" });
    return result;
  } catch (error) {
    const outcome = error instanceof CommitUnknownError ? "unknown" : "rolled_back";
    instruments.count(METRICS.transactions, { outcome });
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ER_LOCK_DEADLOCK: "deadlock",
  ER_LOCK_WAIT_TIMEOUT: "lock_wait_timeout",
  ER_CHECKREAD: "snapshot_conflict",
};

/** A transaction is run again because of `error`. */
export function countRetry(instruments: Instruments, error: QueryError): void {
  instruments.count(METRICS.transactionRetries, { reason: REASONS[errorType(error)] ?? "other" });
}
