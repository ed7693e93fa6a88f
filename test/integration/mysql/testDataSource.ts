import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { loadConfig } from "../../../src/config/index.js";
import type { MysqlConfig } from "../../../src/config/types.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import type { Environment, MysqlServer } from "../../../src/testing/index.js";

const REDIS = { REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" };

/** The configuration for `environment`, with what a test wants otherwise. */
export function mysqlConfig(environment: Environment, changes: Partial<MysqlConfig> = {}): { mysql: MysqlConfig } {
  const { mysql } = loadConfig({ ...REDIS, ...environment });
  return { mysql: { ...mysql, ...changes } };
}

/** What a server's environment becomes behind a proxy. */
export function through(environment: Environment, { host, port }: { host: string; port: number }): Environment {
  return { ...environment, MYSQL_ENDPOINT: host, MYSQL_PORT: String(port) };
}

/** The environment of the user who may do everything. */
export function asAdmin({ environment, admin }: MysqlServer): Environment {
  return { ...environment, MYSQL_USERNAME: admin.username, MYSQL_PASSWORD: admin.password };
}

/** Runs `use` with an open DataSource and closes it. */
export async function withDataSource<T>(
  environment: Environment,
  changes: Partial<MysqlConfig>,
  use: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = createDataSource(mysqlConfig(environment, changes));
  await openDataSource(dataSource, 5_000);
  try {
    return await use(dataSource);
  } finally {
    await closeDataSource(dataSource, 1_000);
  }
}

/** What `promise` throws; fails when it does not throw. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new TypeError("Threw what is not an Error");
  }
  throw new Error("Did not throw");
}

const TICK_MS = 10;

/** In milliseconds. A busy machine holds up every timer of a process: `awakeMs` is without the time in which all of it stood still. */
interface Duration {
  readonly ms: number;
  readonly awakeMs: number;
}

/** What `promise` throws, and how long that takes. */
export async function timedFailureOf(promise: Promise<unknown>): Promise<{ error: Error; took: Duration }> {
  const began = performance.now();
  let [lookedAt, stoodStill] = [began, 0];
  const look = () => {
    const late = performance.now() - lookedAt - TICK_MS;
    if (late > TICK_MS) stoodStill += late;
    lookedAt = performance.now();
  };
  const ticking = setInterval(look, TICK_MS);
  try {
    const error = await failureOf(promise);
    look();
    const ms = lookedAt - began;
    return { error, took: { ms, awakeMs: ms - stoodStill } };
  } finally {
    clearInterval(ticking);
  }
}

/** A stall may hide how late something was, never that it was early. */
export function expectWithin({ ms, awakeMs }: Duration, atLeastMs: number, atMostMs: number): void {
  expect(ms).to.be.at.least(atLeastMs);
  expect(awakeMs).to.be.at.most(atMostMs);
}

/** Until a statement waits for a row that another transaction holds. */
export function rowIsWaitedFor(server: MysqlServer): Promise<void> {
  return withDataSource(asAdmin(server), {}, async (admin) => {
    const sql = "SELECT 1 FROM information_schema.INNODB_TRX WHERE TRX_STATE = 'LOCK WAIT'";
    // The server shows nothing new to those who ask again within 100 ms.
    while ((await admin.query(sql)).length === 0) await sleep(150);
  });
}
