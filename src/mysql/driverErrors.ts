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
const DUPLICATE_ENTRY = 1062;
const READ_ONLY = new Set([1290, 1792, 1836]);
/** MySQL's max_execution_time and MariaDB's max_statement_time. */
const STATEMENT_TIMEOUT = new Set([3024, 1969]);
/** The quotes in these messages hold names of users, databases, tables, columns and keys, never values. */
const ONLY_IDENTIFIERS = new Set([
  1044, 1045, 1046, 1048, 1049, 1050, 1051, 1054, 1060, 1061, 1072, 1091, 1109, 1130, 1142, 1143, 1146, 1227, 1264,
  1265, 1305, 1364, 1406, 1419, 1698, 3819, 4025,
]);

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

/** A value may itself contain quotes, so everything from the first quote to the last goes, but for a duplicate's key name. */
function withoutLiterals(text: string, errno: number): string {
  if (ONLY_IDENTIFIERS.has(errno)) return text;
  const duplicate = errno === DUPLICATE_ENTRY && /^(.*?)'.*' (for key '[^']*')$/s.exec(text);
  if (duplicate) return `${duplicate[1]}'…' ${duplicate[2]}`;
  return text.replace(/['"].*['"]/s, "'…'");
}

/** Whether the whole transaction may be tried again: a deadlock or a lock wait timeout. */
export function isRetryable(error: unknown): error is QueryError & { readonly cause: DriverError } {
  // Another transaction's retries, used up inside this one, are not to be multiplied.
  if (error instanceof TransactionRetriesError) return false;
  return error instanceof QueryError && (error.errno === DEADLOCK || error.errno === LOCK_WAIT_TIMEOUT);
}

/** Whether the server's answer to COMMIT says for certain that nothing was committed. */
export function saysNotCommitted(error: unknown): boolean {
  return isRetryable(error) || error instanceof ReadOnlyError;
}
