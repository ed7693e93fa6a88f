import { QueryFailedError } from "typeorm";
import {
  DataError,
  DeadlineExceededError,
  DriverError,
  QueryError,
  ReadOnlyError,
  TransactionRetriesError,
} from "../errors.js";

const DEADLOCK = 1213;
const LOCK_WAIT_TIMEOUT = 1205;
/** MariaDB's snapshot isolation: the row has changed since the transaction's snapshot, which the server rolled back. */
const SNAPSHOT_CONFLICT = 1020;
const RETRYABLE = new Set([DEADLOCK, LOCK_WAIT_TIMEOUT, SNAPSHOT_CONFLICT]);
const DUPLICATE_ENTRY = 1062;
const READ_ONLY = new Set([1290, 1792, 1836]);
/** MySQL's max_execution_time and MariaDB's max_statement_time. */
const STATEMENT_TIMEOUT = new Set([3024, 1969]);
/** The quotes in these messages hold names of users, databases, tables, columns and keys, never values. */
const ONLY_IDENTIFIERS = new Set([
  1044, 1045, 1046, 1048, 1049, 1050, 1051, 1054, 1060, 1061, 1072, 1091, 1109, 1130, 1142, 1143, 1146, 1227, 1264,
  1265, 1305, 1364, 1406, 1419, 1449, 1698, 3819, 4025,
]);

/** Their text is a SIGNAL's own, or ends in a value without quotes. */
const FREE_TEXT: Readonly<Record<number, string>> = {
  1526: "The table has no partition for a value",
  1644: "A SIGNAL was raised; its text is left out",
};
/** Servers cut a message at 512 bytes, and then its closing quote is missing. */
const MAY_BE_CUT_BYTES = 500;

interface RawError {
  readonly message?: unknown;
  readonly sqlMessage?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly code?: unknown;
}

/** Any error as one of ours, without SQL, parameters or literals. */
export function toDataError(error: unknown): DataError {
  if (error instanceof DataError) return error;
  if (error instanceof QueryFailedError) return toDataError(error.driverError);
  const cause = toDriverError(error);
  if (cause.errno === undefined) return new QueryError(cause);
  if (READ_ONLY.has(cause.errno)) return new ReadOnlyError(cause);
  if (STATEMENT_TIMEOUT.has(cause.errno))
    return new DeadlineExceededError("The statement was ended by the server's time limit", { cause });
  return new QueryError(cause);
}

function toDriverError(error: unknown): DriverError {
  const { message, sqlMessage, errno, sqlState, code } = (error ?? {}) as RawError;
  const isFromServer = typeof errno === "number" && errno > 0;
  const text = String(sqlMessage ?? message ?? error);
  return new DriverError(isFromServer ? withoutLiterals(text, errno) : text, {
    ...(typeof errno === "number" && { errno }),
    ...(typeof sqlState === "string" && { sqlState }),
    ...(typeof code === "string" && { driverCode: code }),
  });
}

/**
 * A value may itself contain quotes, so everything from the first quote to the last goes, but for a duplicate's key name;
 * everything to the end where the closing quote may be missing.
 */
function withoutLiterals(text: string, errno: number): string {
  if (ONLY_IDENTIFIERS.has(errno)) return text;
  if (FREE_TEXT[errno]) return FREE_TEXT[errno];
  const duplicate = errno === DUPLICATE_ENTRY && /^(.*?)'.*' (for key '[^']*')$/s.exec(text);
  if (duplicate) return `${duplicate[1]}'…' ${duplicate[2]}`;
  return text.replace(mayLackQuote(text) ? /['"].*/s : /['"].*['"]/s, "'…'");
}

function mayLackQuote(text: string): boolean {
  const quotes = text.match(/['"]/g)?.length ?? 0;
  return quotes % 2 === 1 || Buffer.byteLength(text) >= MAY_BE_CUT_BYTES;
}

/** Whether the whole transaction may be tried again: a deadlock, a lock wait timeout or a snapshot conflict. */
export function isRetryable(error: unknown): error is QueryError & { readonly cause: DriverError } {
  // Another transaction's retries, used up inside this one, are not to be multiplied.
  if (error instanceof TransactionRetriesError) return false;
  return error instanceof QueryError && error.errno !== undefined && RETRYABLE.has(error.errno);
}

/** Whether the server's answer to COMMIT says for certain that nothing was committed. */
export function saysNotCommitted(error: unknown): boolean {
  return isRetryable(error) || error instanceof ReadOnlyError;
}
