import { escapeId, escape as literal } from "mysql2";

/** SQL for people to run; never run by us. */

export function databaseName(database: string): string {
  return escapeId(database, true);
}

/** `account` as CURRENT_USER() tells it. */
export function accountName(account: string): string {
  const split = account.lastIndexOf("@");
  return `${literal(account.slice(0, split))}@${literal(account.slice(split + 1))}`;
}

/** In a GRANT on a whole database `_` and `%` stand for other characters. */
export function grantText(
  rights: readonly string[],
  database: string,
  table: string | undefined,
  account: string,
): string {
  const scope =
    table === undefined
      ? `${databaseName(database.replace(/[_%]/g, "\\$&"))}.*`
      : `${databaseName(database)}.${escapeId(table, true)}`;
  return `GRANT ${rights.join(", ")} ON ${scope} TO ${accountName(account)}`;
}
