import { escapeId } from "mysql2";
import type { Check, Finding } from "../../doctor/check.js";
import { QueryError, ReadOnlyError } from "../../errors.js";
import { HISTORY } from "../migrator/history.js";
import type { MysqlPatient } from "./patient.js";
import { grantText } from "./quoting.js";

/** What the run-time user may do. */
export const rightsChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.grants", title: "the user's rights", needs: ["mysql.database"], run: checkGrants },
];

const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"] as const;
type Right = (typeof RIGHTS)[number];
/** A right on the table, or on one of its columns. */
const DENIED = new Set([1142, 1143]);

interface Missing {
  readonly right: Right;
  readonly table: string;
}

/**
 * EXPLAIN needs the rights of what it explains and does nothing. It so tells also of roles, of patterns in a database's name and of
 * rights on single tables, which SHOW GRANTS leaves to the reader.
 */
async function checkGrants(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { entityMetadatas } = await patient.connect("service");
  const tables = entityMetadatas.map(({ tableName, columns }) => ({
    table: tableName,
    column: String(columns[0]?.databaseName),
  }));
  const missing: Missing[] = [];
  try {
    for (const { table, column } of tables)
      for (const right of RIGHTS)
        if (await isDenied(patient, signal, probe(right, table, column))) missing.push({ right, table });
  } catch (error) {
    if (!(error instanceof ReadOnlyError)) throw error;
    return { verdict: "skipped", saw: "a server that refuses writes does not tell which it would allow" };
  }
  if (await isDenied(patient, signal, `EXPLAIN SELECT 1 FROM ${HISTORY}`))
    missing.push({ right: "SELECT", table: HISTORY });
  const [row] = await patient.ask<{ account: string }>(signal, "SELECT CURRENT_USER() AS account");
  return grantFinding(String(row?.account), patient.config.database, missing, tables.length);
}

/** On nothing's rows, should a server ever run it. */
function probe(right: Right, table: string, column: string): string {
  const [into, key] = [escapeId(table, true), escapeId(column, true)];
  const statements: Record<Right, string> = {
    SELECT: `EXPLAIN SELECT ${key} FROM ${into} WHERE FALSE`,
    INSERT: `EXPLAIN INSERT INTO ${into} (${key}) SELECT '' FROM DUAL WHERE FALSE`,
    UPDATE: `EXPLAIN UPDATE ${into} SET ${key} = '' WHERE FALSE`,
    DELETE: `EXPLAIN DELETE FROM ${into} WHERE FALSE`,
  };
  return statements[right];
}

/** Any other refusal, such as of a missing table, is for other checks to tell. */
async function isDenied(patient: MysqlPatient, signal: AbortSignal, sql: string): Promise<boolean> {
  try {
    await patient.ask(signal, sql);
    return false;
  } catch (error) {
    if (!(error instanceof QueryError) || error instanceof ReadOnlyError || error.errno === undefined) throw error;
    return DENIED.has(error.errno);
  }
}

/** A right that is missing on every table is granted on the database, another on its tables. */
function grantFinding(account: string, database: string, missing: readonly Missing[], tables: number): Finding {
  if (missing.length === 0) return { verdict: "ok", saw: `${account} may ${RIGHTS.join(", ")} in ${database}` };
  const lackingOn = (right: Right) => missing.filter((each) => each.right === right).map(({ table }) => table);
  const everywhere = RIGHTS.filter((right) => lackingOn(right).length >= tables);
  const single = [...new Set(missing.map(({ table }) => table))].flatMap((table) => {
    const rights = missing
      .filter((each) => each.table === table && !everywhere.includes(each.right))
      .map(({ right }) => right);
    return rights.length > 0 ? [{ table, rights }] : [];
  });
  const grants = [
    ...(everywhere.length > 0 ? [grantText(everywhere, database, undefined, account)] : []),
    ...single.map(({ table, rights }) => grantText(rights, database, table, account)),
  ];
  const lacks = [
    ...(everywhere.length > 0 ? [`${everywhere.join(", ")} in ${database}`] : []),
    ...single.map(({ table, rights }) => `${rights.join(", ")} on ${table}`),
  ];
  return { verdict: "failed", saw: `${account} lacks ${lacks.join("; ")}`, advice: grants.join("; ") };
}
