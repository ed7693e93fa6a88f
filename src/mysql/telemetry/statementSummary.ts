import { getMetadataArgsStorage } from "typeorm";
import { entities } from "../entities/index.js";
import { verbOf } from "../statements.js";

const VERBS = new Set(
  "SELECT INSERT UPDATE DELETE REPLACE WITH CALL DO SET SHOW EXPLAIN START BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE CREATE ALTER DROP TRUNCATE".split(
    " ",
  ),
);
const TABLES = new Set([
  ...entities.map((entity) => getMetadataArgsStorage().filterTables(entity)[0]?.name),
  "migrations",
]);
const TABLE = /\b(?:FROM|INTO|UPDATE|JOIN|TABLE(?:\s+IF\s+(?:NOT\s+)?EXISTS)?)\s+`?(\w+)/i;

/** The statement's first word; `other` for what is not of the known ones. */
export function operationName(sql: string): string {
  const verb = verbOf(sql);
  return VERBS.has(verb) ? verb : "other";
}

/** The first word and the first table, as `SELECT meeting_status`; a table that is not ours is `other`. */
export function statementSummary(sql: string): string {
  const verb = operationName(sql);
  const [, table] = TABLE.exec(sql) ?? [];
  if (table === undefined) return verb;
  return `${verb} ${TABLES.has(table) ? table : "other"}`;
}
