import { readAuthority, readCredentials } from "../../config/index.js";
import { nearest } from "../../config/nearest.js";
import type { CredentialSource } from "../../config/types.js";
import { chainFinding, expiryFinding, hostFinding, type ShownCertificate } from "../../doctor/certificate.js";
import type { Check, Finding } from "../../doctor/check.js";
import { checkName, checkTcp, openSocket, placeText } from "../../doctor/network.js";
import { ConfigError, CredentialError, DataError, MysqlPingError, QueryError } from "../../errors.js";
import { connectionAdvice } from "../connectionAdvice.js";
import type { Approach, MysqlPatient } from "./patient.js";
import { databaseName, grantText } from "./quoting.js";
import { shownBy } from "./startTls.js";

const HOST_VARIABLE = "MYSQL_ENDPOINT or MYSQL_CONNECTION_STRING";
const CA_VARIABLE = "MYSQL_TLS_CA_FILE";

/** Everything on the way to the database, in the order in which it can go wrong. */
export const reachChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.configuration", title: "the MYSQL_* variables", run: checkConfiguration },
  {
    id: "mysql.credentials",
    title: "where user and password come from",
    needs: ["mysql.configuration"],
    run: checkCredentials,
  },
  { id: "mysql.name", title: "the host's name", needs: ["mysql.configuration"], run: checkHostName },
  {
    id: "mysql.tcp",
    title: "a connection to the address",
    needs: ["mysql.name"],
    run: ({ config }, signal) => checkTcp(config.address, signal),
  },
  { id: "mysql.tls", title: "the certificate's authority", needs: ["mysql.tcp"], run: checkTls },
  { id: "mysql.tls.host", title: "the certificate's host", needs: ["mysql.tls"], run: checkTlsHost },
  {
    id: "mysql.tls.expiry",
    title: "the certificate's time",
    needs: ["mysql.tls"],
    run: async (patient, signal) => expiryFinding(await certificateOf(patient, signal), at(patient)),
  },
  {
    id: "mysql.login",
    title: "logging in",
    needs: ["mysql.credentials", "mysql.tcp"],
    run: (patient) => checkLogin(patient, "login"),
  },
  { id: "mysql.database", title: "the database", needs: ["mysql.login"], run: checkDatabase },
  { id: "mysql.login.migrator", title: "logging in to migrate", needs: ["mysql.database"], run: checkMigrator },
];

async function checkConfiguration({ problems, notices }: MysqlPatient): Promise<readonly Finding[]> {
  const failures = problems.map(
    ({ variable, problem }): Finding => ({
      verdict: "failed",
      saw: `${variable} ${problem}`,
      advice: `Correct ${variable}; the README's configuration table says what it takes`,
    }),
  );
  const warnings = notices
    .filter(({ level }) => level === "warn")
    .map(
      ({ variable, message }): Finding => ({
        verdict: "warning",
        saw: `${variable} ${message}`,
        advice: `Correct ${variable}, or take it out of the environment`,
      }),
    );
  const told = [...failures, ...warnings];
  return told.length > 0 ? told : [{ verdict: "ok", saw: "the variables are complete" }];
}

async function checkCredentials({ config }: MysqlPatient): Promise<readonly Finding[]> {
  const { credentials, migrationCredentials } = config;
  return [credentials, ...(migrationCredentials ? [migrationCredentials] : [])].flatMap(credentialFindings);
}

function credentialFindings(source: CredentialSource): Finding[] {
  try {
    const { username = "", password, warnings } = readCredentials(source);
    const from = source.kind === "file" ? `the file that ${source.variable} names` : source.variable;
    const saw = `user ${JSON.stringify(username)} ${password ? "with" : "without"} a password, from ${from}`;
    const exposed = warnings.map(
      ({ variable, message }): Finding => ({
        verdict: "warning",
        saw: `${variable} ${message}`,
        advice: "Run chmod o-r on it",
      }),
    );
    return [{ verdict: "ok", saw }, ...exposed];
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    return [{ verdict: "failed", saw: error.message, advice: `Correct the file, or unset ${error.variable}` }];
  }
}

async function checkHostName({ config: { address } }: MysqlPatient): Promise<Finding> {
  if ("socketPath" in address)
    return { verdict: "ok", saw: `${address.socketPath} is a socket file; there is no name` };
  return checkName(address.host, HOST_VARIABLE);
}

async function checkTls(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { tls } = patient.config;
  if (!tls) return { verdict: "skipped", saw: "MYSQL_TLS is off" };
  try {
    const finding = chainFinding(await certificateOf(patient, signal), at(patient), CA_VARIABLE);
    return tls.verify ? finding : unverified(finding);
  } catch (error) {
    if (error instanceof ConfigError)
      return { verdict: "failed", saw: error.message, advice: `Correct ${CA_VARIABLE}` };
    if (!(error instanceof QueryError)) throw error;
    return { verdict: "failed", saw: error.message, advice: connectionAdvice(error) };
  }
}

async function checkTlsHost(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { address, tls } = patient.config;
  const host = "host" in address ? address.host : "";
  const finding = hostFinding(await certificateOf(patient, signal), at(patient), host, HOST_VARIABLE);
  return tls?.verify ? finding : unverified(finding);
}

/** With MYSQL_TLS_SKIP_VERIFY nothing keeps from working. */
function unverified(finding: Finding): Finding {
  return finding.verdict === "failed" ? { ...finding, verdict: "warning" } : finding;
}

function certificateOf(patient: MysqlPatient, signal: AbortSignal): Promise<ShownCertificate> {
  const { address, tls } = patient.config;
  return patient.once("certificate", async () => {
    const authority = tls?.caFile === undefined ? undefined : readAuthority(CA_VARIABLE, tls.caFile);
    const host = "host" in address ? address.host : "";
    return shownBy(await openSocket(address, signal), { host, authority, signal });
  });
}

function at({ config }: MysqlPatient): string {
  return placeText(config.address);
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
  const finding = await checkLogin(patient, "migrator");
  // Services do without that user, and the database is looked at by itself.
  return finding.verdict === "failed" ? { ...finding, verdict: "warning" } : finding;
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
