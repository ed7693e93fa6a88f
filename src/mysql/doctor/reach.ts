import { nearest } from "../../config/nearest.js";
import { asWarning, type Check, type Finding } from "../../doctor/check.js";
import { checkName, checkTcp } from "../../doctor/network.js";
import { DataError, MysqlPingError, QueryError } from "../../errors.js";
import { connectionAdvice } from "../connectionAdvice.js";
import type { Approach, MysqlPatient } from "./patient.js";
import { databaseName, grantText } from "./quoting.js";

export const HOST_VARIABLE = "MYSQL_ENDPOINT or MYSQL_CONNECTION_STRING";

/** Whether there is a server. */
export const networkChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.name", title: "the host's name", needs: ["mysql.configuration"], run: checkHostName },
  {
    id: "mysql.tcp",
    title: "a connection to the address",
    needs: ["mysql.name"],
    run: ({ config, patienceMs }, signal) => checkTcp(config.address, { signal, patienceMs }),
  },
];

/** Whether it lets us in, and into the database. */
export const accessChecks: readonly Check<MysqlPatient>[] = [
  {
    id: "mysql.login",
    title: "logging in",
    needs: ["mysql.credentials", "mysql.tcp"],
    run: (patient) => checkLogin(patient, "login"),
  },
  { id: "mysql.database", title: "the database", needs: ["mysql.login"], run: checkDatabase },
  { id: "mysql.login.migrator", title: "logging in to migrate", needs: ["mysql.database"], run: checkMigrator },
];

async function checkHostName({ config, patienceMs }: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { address } = config;
  if ("socketPath" in address)
    return { verdict: "ok", saw: `${address.socketPath} is a socket file; there is no name` };
  return checkName(address.host, HOST_VARIABLE, { signal, patienceMs });
}

async function checkLogin(patient: MysqlPatient, approach: Approach): Promise<Finding> {
  try {
    const dataSource = await patient.connect(approach);
    const [row]: { account: string }[] = await dataSource.query("SELECT CURRENT_USER() AS account");
    return { verdict: "ok", saw: `logged in as ${row?.account}` };
  } catch (error) {
    return loginFailure(error);
  }
}

function loginFailure(error: unknown): Finding {
  const cause = error instanceof MysqlPingError ? error.cause : error;
  if (!(cause instanceof DataError)) throw error;
  return { verdict: "failed", saw: cause.message, advice: connectionAdvice(cause) };
}

async function checkMigrator(patient: MysqlPatient): Promise<Finding> {
  const { migrationCredentials } = patient.config;
  if (!migrationCredentials) return { verdict: "skipped", saw: "MYSQL_MIGRATION_USERNAME is not set" };
  // Services do without that user, and the database is looked at by itself.
  return asWarning(await checkLogin(patient, "migrator"));
}

const NO_SUCH_DATABASE = 1049;
const NO_ACCESS = 1044;
const MAX_NAMES = 1_000;
const DATABASES = `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA
  WHERE SCHEMA_NAME NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') LIMIT ${MAX_NAMES}`;

async function checkDatabase(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { database } = patient.config;
  try {
    await patient.connect("service");
    return { verdict: "ok", saw: `${database} exists` };
  } catch (error) {
    const cause = error instanceof MysqlPingError ? error.cause : error;
    const errno = cause instanceof QueryError ? cause.errno : undefined;
    if (errno !== NO_SUCH_DATABASE && errno !== NO_ACCESS) return loginFailure(error);
    const rows = await patient.ask<{ name: string }>(signal, DATABASES, [], "login");
    return errno === NO_ACCESS
      ? noAccess(patient, signal, rows)
      : {
          verdict: "failed",
          saw: `there is no database ${database}${similar(database, rows)}`,
          advice: creation(database),
        };
  }
}

async function noAccess(
  patient: MysqlPatient,
  signal: AbortSignal,
  rows: readonly { name: string }[],
): Promise<Finding> {
  const { database } = patient.config;
  const [row] = await patient.ask<{ account: string }>(signal, "SELECT CURRENT_USER() AS account", [], "login");
  const saw = `${row?.account} has no right on a database ${database}, which may not exist${similar(database, rows)}`;
  const grant = grantText(["SELECT", "INSERT", "UPDATE", "DELETE"], database, undefined, String(row?.account));
  return { verdict: "failed", saw, advice: `Check MYSQL_DB_NAME; if it is right: ${grant}` };
}

function creation(database: string): string {
  const sql = `CREATE DATABASE ${databaseName(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;
  return `Correct MYSQL_DB_NAME, or create it (${sql}) and run doordarshan-data migrate up`;
}

/** Names that were perhaps meant. */
function similar(database: string, rows: readonly { name: string }[]): string {
  const names = rows.map(({ name }) => name);
  const alike = names.filter((name) => name.toLowerCase().includes(database.toLowerCase()));
  const near = nearest(database, names);
  const told = [...new Set([...(near ? [near] : []), ...alike])].slice(0, 5);
  return told.length > 0 ? `; there is ${told.join(", ")}` : "";
}
