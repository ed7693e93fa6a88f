/** What a statement does to the session and to its transaction, told by its text. */

/** Comments before the statement. Those that are code for MySQL or MariaDB lose only their opening. */
const BEFORE_STATEMENT = /^(?:\s|\/\*(?!M?!)[\s\S]*?\*\/|\/\*M?!\d*|--[^\n]*|#[^\n]*)+/;

const LEAVES_TRACES =
  /^(?:SET\b(?!\s+TRANSACTION\b)|(?:USE|LOCK|XA|PREPARE|HANDLER|FLUSH|EXECUTE\s+IMMEDIATE|CREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY)\b)|\bGET_LOCK\s*\(|:=|\bINTO\s+@/i;
const SETS_NEXT_TRANSACTION = /^SET\s+TRANSACTION\b/i;
const BEGINS = /^(?:BEGIN|START\s+TRANSACTION)\b/i;
const ROLLS_BACK = /^ROLLBACK\b/i;
const ENDS = /^(?:COMMIT|ROLLBACK)\s*;?\s*$/i;
const CONTROLS_TRANSACTION =
  /^(?:BEGIN|START|COMMIT|ROLLBACK(?!\s+(?:WORK\s+)?TO\b)|XA|SET\b(?=.*\bautocommit\b))(?!\w)/is;
const COMMITS_IMPLICITLY =
  /^(?:ALTER|CREATE(?!\s+(?:OR\s+REPLACE\s+)?TEMPORARY\b)|DROP(?!\s+TEMPORARY\b)|RENAME|TRUNCATE|GRANT|REVOKE|LOCK|UNLOCK|(?:ANALYZE|CHECK|OPTIMIZE|REPAIR)\s+(?:\w+\s+)?TABLES?|FLUSH|RESET|CACHE\s+INDEX|LOAD\s+INDEX|INSTALL|UNINSTALL|CHANGE|STOP|SET\s+PASSWORD)(?!\w)/i;

const starts = (pattern: RegExp) => (sql: string) => pattern.test(sql.replace(BEFORE_STATEMENT, ""));

/** Its effect outlives it in the session, and would meet the next borrower. */
export const leavesTraces = starts(LEAVES_TRACES);
/** It holds for the next transaction, whoever begins that. */
export const setsNextTransaction = starts(SETS_NEXT_TRANSACTION);
export const beginsTransaction = starts(BEGINS);
/** Also to a savepoint. */
export const rollsBack = starts(ROLLS_BACK);
export const endsTransaction = starts(ENDS);
/** It begins or ends a transaction; savepoints do not. */
export const controlsTransaction = starts(CONTROLS_TRANSACTION);
/** The server commits before it runs it. */
export const commitsImplicitly = starts(COMMITS_IMPLICITLY);

/** Its first word, in capitals; empty where it begins with none. */
export function verbOf(sql: string): string {
  return /^\(*\s*([a-z]+)/i.exec(sql.replace(BEFORE_STATEMENT, ""))?.[1]?.toUpperCase() ?? "";
}
