import { randomBytes } from "node:crypto";
import { loadConfig } from "../config/index.js";
import { closeDataSource, createDataSource, openDataSource } from "../mysql/dataSource.js";
import { runMigrations } from "../mysql/migrator/migrator.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface TestDatabase {
  /** The environment given, with the new database in the place of the old. */
  readonly environment: Record<string, string>;
  readonly name: string;
  /** Drops the database. Idempotent. */
  drop(): Promise<void>;
}

const CONNECT_WITHIN_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;

/**
 * Creates a database of its own on the server that `environment` names, beside the one named there, and migrates it.
 * @throws ConfigError when `environment` is incomplete: both stores must be named
 * @throws MysqlPingError when the server does not answer
 */
export async function createDatabase(environment: Environment): Promise<TestDatabase> {
  // Before anything is taken apart, so that what is wrong with it is told without showing it.
  loadConfig(environment);
  const name = `doordarshan_test_${Date.now().toString(36)}_${randomBytes(4).toString("hex")}`;
  const renamed = withDatabase(environment, name);
  // Nothing may ever be migrated or dropped but this.
  if (loadConfig(renamed).mysql.database !== name) throw new Error(`The database could not be renamed to ${name}`);
  await execute(environment, `CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  const drop = () => execute(environment, `DROP DATABASE IF EXISTS \`${name}\``);
  try {
    await runMigrations(loadConfig(renamed));
  } catch (error) {
    await drop();
    throw error;
  }
  return { environment: renamed, name, drop };
}

async function execute(environment: Environment, statement: string): Promise<void> {
  const dataSource = createDataSource(loadConfig(environment));
  try {
    await openDataSource(dataSource, CONNECT_WITHIN_MS);
    await dataSource.query(statement);
  } finally {
    await closeDataSource(dataSource, CLOSE_WITHIN_MS);
  }
}

/** The connection string wins over the single variables, so the name is replaced there too. */
function withDatabase(environment: Environment, name: string): Record<string, string> {
  const defined = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
  const dsn = environment.MYSQL_CONNECTION_STRING;
  const renamed = dsn ? { MYSQL_CONNECTION_STRING: replaceDatabase(dsn, name) } : { MYSQL_DB_NAME: name };
  return { ...(defined as Record<string, string>), ...renamed };
}

/** In a DSN the database stands between the last slash and the question mark; in a URL a slash may stand in the query too. */
function replaceDatabase(dsn: string, name: string): string {
  if (dsn.startsWith("mysql://")) {
    const url = new URL(dsn);
    url.pathname = `/${name}`;
    return url.href;
  }
  const slash = dsn.lastIndexOf("/");
  const query = dsn.indexOf("?", slash);
  return `${dsn.slice(0, slash + 1)}${name}${query === -1 ? "" : dsn.slice(query)}`;
}
