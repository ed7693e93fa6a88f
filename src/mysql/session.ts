import type { MysqlConfig } from "../config/types.js";

/**
 * The statement that sets a new session up. The SQL mode is set whole: with an inherited NO_BACKSLASH_ESCAPES or ANSI_QUOTES
 * mysql2's escaping would not be safe.
 */
export function sessionSql({ collation, queryTimeoutMs }: MysqlConfig, statementTimeoutMs: number | undefined): string {
  const settings = [
    // Where a server has it off, single statements would be undone when their connection closes.
    "autocommit = 1",
    `collation_connection = ${checkedCollation(collation)}`,
    "time_zone = '+00:00'",
    "sql_mode = 'STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    `innodb_lock_wait_timeout = ${lockWaitSeconds(statementTimeoutMs ?? queryTimeoutMs)}`,
  ];
  return `SET ${settings.join(", ")} ${serverLimit(statementTimeoutMs ?? 0)}`;
}

/** The first comment is code for MariaDB only, the second for MySQL only. 0 is no limit. MySQL's limit holds for SELECT. */
function serverLimit(limitMs: number): string {
  return `/*M! , max_statement_time = ${limitMs / 1000} */ /*!80000 , max_execution_time = ${limitMs} */`;
}

/**
 * How long one statement may take. No lock wait is shorter than a second, so a time of that order is stretched a little,
 * or a lock wait would be cut off instead of reported and tried again.
 */
export function statementLimitMs({ queryTimeoutMs }: MysqlConfig): number {
  return queryTimeoutMs < 1_000 ? queryTimeoutMs : Math.max(queryTimeoutMs, 1_500);
}

/** Half of the statement's time, so that a lock wait is reported as one, and not as a lost statement. */
function lockWaitSeconds(statementTimeoutMs: number): number {
  return Math.max(1, Math.floor(statementTimeoutMs / 2_000));
}

function checkedCollation(collation: string): string {
  if (!/^utf8mb4_\w+$/.test(collation)) throw new TypeError("The collation must be one of utf8mb4's");
  return collation;
}
