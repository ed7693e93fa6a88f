import type { ParameterSettings } from "./connectionParameters.js";
import { chooseCredentials } from "./credentialSource.js";
import type { Settings } from "./environment.js";
import { readMysqlTarget } from "./mysqlTarget.js";
import type { Report } from "./report.js";
import { readTls } from "./tls.js";
import type { MysqlConfig } from "./types.js";

/** Compares byte for byte, as ids do, and is known to MySQL and MariaDB. */
const DEFAULT_COLLATION = "utf8mb4_bin";

/** MySQL's part of the configuration. What it returns counts only if nothing was reported as a problem. */
export function readMysqlConfig(settings: Settings, report: Report): MysqlConfig {
  const { fixed, ...target } = readMysqlTarget(settings, report);
  reportConflicts(fixed, settings, report);
  const values = { ...settings.values, ...fixed };
  return {
    ...target,
    migrationCredentials: readMigrationCredentials(settings, report),
    tls: readMysqlTls(values, target.address, report),
    collation: fixed.collation ?? DEFAULT_COLLATION,
    maxConnections: values.MYSQL_OPEN_CONNECTIONS,
    maxIdleConnections: readMaxIdle(settings, report),
    idleTimeoutMs: milliseconds(values.MYSQL_IDLE_TIMEOUT_IN_SECS),
    connectTimeoutMs: milliseconds(values.MYSQL_CONNECT_TIMEOUT_IN_SECS),
    acquireTimeoutMs: milliseconds(values.MYSQL_ACQUIRE_TIMEOUT_IN_SECS),
    acquireQueueLimit: values.MYSQL_ACQUIRE_QUEUE_LIMIT,
    queryTimeoutMs: milliseconds(values.MYSQL_QUERY_TIMEOUT_IN_SECS),
    slowOperationMs: values.SLOW_OPERATION_IN_MILLISECONDS,
  };
}

function readMigrationCredentials(settings: Settings, report: Report): MysqlConfig["migrationCredentials"] {
  const { values, given } = settings;
  const hasFile = given.has("MYSQL_MIGRATION_SECRET_FILE");
  if (!hasFile && !given.has("MYSQL_MIGRATION_USERNAME")) {
    if (given.has("MYSQL_MIGRATION_PASSWORD"))
      report.problem("MYSQL_MIGRATION_PASSWORD", "is set without MYSQL_MIGRATION_USERNAME, whose password it would be");
    return undefined;
  }
  const direct = {
    variable: "MYSQL_MIGRATION_USERNAME",
    username: values.MYSQL_MIGRATION_USERNAME,
    password: values.MYSQL_MIGRATION_PASSWORD,
    overruled: ["MYSQL_MIGRATION_USERNAME", "MYSQL_MIGRATION_PASSWORD"],
  } as const;
  return chooseCredentials("MYSQL_MIGRATION_SECRET_FILE", direct, settings, report);
}

/** A connection string may say fractions of a second. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1_000);
}

/** The same thing said twice must be the same. */
function reportConflicts({ collation: _, ...fixed }: ParameterSettings, settings: Settings, report: Report): void {
  for (const [name, value] of Object.entries(fixed) as [Exclude<keyof ParameterSettings, "collation">, unknown][])
    if (settings.given.has(name) && settings.values[name] !== value)
      report.problem(name, "and a parameter of MYSQL_CONNECTION_STRING differ; keep one of them");
}

function readMysqlTls(values: Settings["values"], address: MysqlConfig["address"], report: Report): MysqlConfig["tls"] {
  if (values.MYSQL_TLS && "socketPath" in address)
    report.problem("MYSQL_CONNECTION_STRING", "names a socket file, which needs no TLS; turn TLS off or name a host");
  const names = { on: "MYSQL_TLS", skipVerify: "MYSQL_TLS_SKIP_VERIFY", caFile: "MYSQL_TLS_CA_FILE" } as const;
  return readTls(values, names, report);
}

function readMaxIdle({ values, given }: Settings, report: Report): number {
  const { MYSQL_MAX_IDLE_CONNECTIONS: idle, MYSQL_OPEN_CONNECTIONS: open } = values;
  if (idle > open && given.has("MYSQL_MAX_IDLE_CONNECTIONS"))
    report.info("MYSQL_MAX_IDLE_CONNECTIONS", `is capped at ${open}, the connections that may be open`);
  return Math.min(idle, open);
}
