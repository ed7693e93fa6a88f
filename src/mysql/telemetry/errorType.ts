import { DataError, QueryError } from "../../errors.js";
import { SYSTEM_ERRORS } from "../../telemetry/systemErrors.js";

/** What servers answer and what happens to connections, as far as it has a name of its own in metrics. */
const BY_ERRNO: Readonly<Record<number, string>> = {
  1020: "ER_CHECKREAD",
  1040: "ER_CON_COUNT_ERROR",
  1044: "ER_DBACCESS_DENIED_ERROR",
  1045: "ER_ACCESS_DENIED_ERROR",
  1049: "ER_BAD_DB_ERROR",
  1053: "ER_SERVER_SHUTDOWN",
  1054: "ER_BAD_FIELD_ERROR",
  1062: "ER_DUP_ENTRY",
  1064: "ER_PARSE_ERROR",
  1130: "ER_HOST_NOT_PRIVILEGED",
  1142: "ER_TABLEACCESS_DENIED_ERROR",
  1146: "ER_NO_SUCH_TABLE",
  1153: "ER_NET_PACKET_TOO_LARGE",
  1203: "ER_TOO_MANY_USER_CONNECTIONS",
  1205: "ER_LOCK_WAIT_TIMEOUT",
  1213: "ER_LOCK_DEADLOCK",
  1226: "ER_USER_LIMIT_REACHED",
  1317: "ER_QUERY_INTERRUPTED",
  1406: "ER_DATA_TOO_LONG",
  1451: "ER_ROW_IS_REFERENCED_2",
  1452: "ER_NO_REFERENCED_ROW_2",
  1698: "ER_ACCESS_DENIED_NO_PASSWORD_ERROR",
  1927: "ER_CONNECTION_KILLED",
  3159: "ER_SECURE_TRANSPORT_REQUIRED",
};
const CODES = new Set<string>([
  ...SYSTEM_ERRORS,
  "ENOENT",
  "EACCES",
  "PROTOCOL_CONNECTION_LOST",
  "HANDSHAKE_SSL_ERROR",
  "HANDSHAKE_NO_SSL_SUPPORT",
  "ERR_TRANSACTION_GONE",
  "ERR_LEASE_OVER",
  "ERR_POOL_CLOSED",
]);

/** One of a bounded set: the server's or the system's code, else our error's, else `other`. */
export function errorType(error: unknown): string {
  if (error instanceof QueryError && error.code === "ErrQuery")
    return (
      BY_ERRNO[error.errno ?? 0] ?? (CODES.has(error.driverCode ?? "") ? (error.driverCode as string) : error.code)
    );
  return error instanceof DataError ? error.code : "other";
}
