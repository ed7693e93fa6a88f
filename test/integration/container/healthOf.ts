import { createConnection, type RowDataPacket } from "mysql2/promise";
import { type Container, createContainer, type Health, loadConfig } from "../../../src/index.js";
import type { Environment, MysqlServer } from "../../../src/testing/index.js";
import { recordingLogger } from "../../support/recordingLogger.js";

/** A container that asks its stores anew each time, unless a test wants otherwise. */
export function makeContainer(environment: Environment, healthMaxAgeMs = 0): Container {
  return createContainer(loadConfig(environment), { logger: recordingLogger(), healthMaxAgeMs });
}

/** Runs `use` with a started container and stops it. */
export async function withContainer<T>(
  environment: Environment,
  use: (container: Container) => Promise<T>,
  healthMaxAgeMs?: number,
): Promise<T> {
  const container = makeContainer(environment, healthMaxAgeMs);
  await container.start();
  try {
    return await use(container);
  } finally {
    await container.stop();
  }
}

/** Asks until the health is as `expected` says; fails with the last one after `timeoutMs`. */
export async function untilHealth(
  container: Container,
  expected: (health: Health) => boolean,
  timeoutMs = 20_000,
): Promise<Health> {
  const giveUp = performance.now() + timeoutMs;
  for (;;) {
    const health = await container.health();
    if (expected(health)) return health;
    if (performance.now() > giveUp) throw new Error(`Not in time; the last health was ${JSON.stringify(health)}`);
  }
}

/** Runs statements as the user who may do everything, and returns the rows of the last one. */
export async function asAdmin({ host, port, admin }: MysqlServer, ...statements: string[]): Promise<RowDataPacket[]> {
  const { username: user, password } = admin;
  const connection = await createConnection({ host, port, user, password, supportBigNumbers: true });
  try {
    let rows: RowDataPacket[] = [];
    for (const statement of statements) [rows] = await connection.query<RowDataPacket[]>(statement);
    return rows;
  } finally {
    await connection.end();
  }
}
