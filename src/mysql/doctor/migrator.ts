import type { Check, Finding } from "../../doctor/check.js";
import type { MysqlPatient } from "./patient.js";
import { accountName, grantText } from "./quoting.js";
import { serverVariables } from "./variables.js";

/** Whether the user who migrates may do so. */
export const migratorChecks: readonly Check<MysqlPatient>[] = [
  {
    id: "mysql.grants.migrator",
    title: "the migrating user's rights",
    needs: ["mysql.login.migrator"],
    run: checkMigratorRights,
  },
];

const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "TRIGGER"] as const;
/** Of other rights MariaDB asks for none. */
const OF_MYSQL = "REFERENCES";

const ACCOUNT = "SELECT CURRENT_USER() AS account, CURRENT_ROLE() AS role";
/** A database stands there as a pattern, as GRANT takes it. Everybody sees what is granted to oneself. */
const OWN_RIGHTS = `SELECT PRIVILEGE_TYPE AS name FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ?
  UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
    WHERE GRANTEE = ? AND DATABASE() LIKE TABLE_SCHEMA`;

/** EXPLAIN takes no DDL, and trying DDL would not be read-only; so it is read what is granted. */
async function checkMigratorRights(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  if ((await patient.mostSeeing()) !== "migrator") return { verdict: "skipped", saw: "that user cannot log in" };
  const [self] = await patient.ask<{ account: string; role: string | null }>(signal, ACCOUNT, [], "migrator");
  const account = String(self?.account);
  const grantee = accountName(account);
  const rows = await patient.ask<{ name: string }>(signal, OWN_RIGHTS, [grantee, grantee], "migrator");
  const isMariaDb = /mariadb/i.test((await serverVariables(patient, signal)).get("version") ?? "");
  const wanted = isMariaDb ? RIGHTS : [...RIGHTS, OF_MYSQL];
  const missing = wanted.filter((right) => !rows.some(({ name }) => name === right));
  return rightsFinding(account, self?.role ?? "NONE", patient.config.database, missing);
}

function rightsFinding(account: string, role: string, database: string, missing: readonly string[]): Finding {
  if (missing.length === 0) return { verdict: "ok", saw: `${account} may migrate ${database}` };
  const saw = `${account} lacks ${missing.join(", ")} in ${database}`;
  if (role !== "NONE") return { verdict: "skipped", saw: `${saw}, unless the role ${role} gives them` };
  const advice = `Before the next migration: ${grantText(missing, database, undefined, account)}`;
  return { verdict: "warning", saw, advice };
}
