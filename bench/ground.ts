import { createPool, type Pool } from "mysql2/promise";
import { loadConfig } from "../src/config/index.js";
import { closeDataSource, createDataSource, openDataSource } from "../src/mysql/dataSource.js";
import { type Database, poolDatabase } from "../src/mysql/repositories/database.js";
import { createRepositories, type Repositories } from "../src/mysql/repositories/index.js";
import { createDatabase, type MysqlServer } from "../src/testing/index.js";

const CONNECTIONS = 10;
/** The joined query of today takes longer than a service would wait. */
const STATEMENT_MS = 60_000;

export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A migrated database of its own, and two ways into it: the repositories, and the plain driver on a pool of the same size. */
export interface Ground {
  readonly repositories: Repositories;
  readonly raw: Pool;
  /** The statements that `work` sends outside of transactions. */
  record(work: (repositories: Repositories) => Promise<unknown>): Promise<readonly Statement[]>;
  close(): Promise<void>;
}

export async function openGround(server: MysqlServer): Promise<Ground> {
  const { environment, name } = await createDatabase({ ...server.environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:1" });
  const { mysql } = loadConfig(environment);
  const dataSource = createDataSource({
    mysql: { ...mysql, maxConnections: CONNECTIONS, queryTimeoutMs: STATEMENT_MS },
  });
  await openDataSource(dataSource, 10_000);
  const database = poolDatabase(dataSource);
  const raw = createPool({
    host: server.host,
    port: server.port,
    user: server.admin.username,
    password: server.admin.password,
    database: name,
    connectionLimit: CONNECTIONS,
    timezone: "Z",
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  return {
    repositories: createRepositories(database),
    raw,
    record: (work) => record(database, work),
    close: async () => {
      await raw.end();
      await closeDataSource(dataSource, 1_000);
    },
  };
}

async function record(
  database: Database,
  work: (repositories: Repositories) => Promise<unknown>,
): Promise<readonly Statement[]> {
  const statements: Statement[] = [];
  const recording: Database = {
    ...database,
    query: (sql, params = []) => {
      statements.push({ sql, params });
      return database.query(sql, params);
    },
  };
  await work(createRepositories(recording));
  return statements;
}

/** Sends the statements one after the other, as the repositories do. */
export async function replay(raw: Pool, statements: readonly Statement[]): Promise<unknown> {
  let answer: unknown;
  for (const { sql, params } of statements) [answer] = await raw.query(sql, [...params]);
  return answer;
}
