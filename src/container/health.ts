import { type DataSource, pingMysql } from "../mysql/dataSource.js";
import type { RedisClient } from "../redis/client.js";
import type { ContainerState } from "./container.js";

const PROBE_TIMEOUT_MS = 2_000;

export interface StoreHealth {
  readonly status: "up" | "down";
  /** How long the answer took, in milliseconds. */
  readonly latencyMs: number;
  /** Why it is down; one line, no secret. */
  readonly error?: string;
}

export interface Health {
  /** Whether the container is ready and both stores answer. */
  readonly ready: boolean;
  readonly state: ContainerState;
  readonly mysql: StoreHealth;
  readonly redis: StoreHealth;
}

/** Asks both stores at once, each for at most 2 s. Never throws. */
export async function checkHealth(
  state: ContainerState,
  stores: { dataSource: DataSource; redisClient: RedisClient } | undefined,
): Promise<Health> {
  if (!stores) {
    const down: StoreHealth = { status: "down", latencyMs: 0, error: `the container is ${state}` };
    return { ready: false, state, mysql: down, redis: down };
  }
  const [mysql, redis] = await Promise.all([
    probe(() => pingMysql(stores.dataSource, PROBE_TIMEOUT_MS)),
    probe(() => stores.redisClient.send("PING", [], { kind: "read", timeoutMs: PROBE_TIMEOUT_MS })),
  ]);
  return { ready: state === "ready" && mysql.status === "up" && redis.status === "up", state, mysql, redis };
}

async function probe(ask: () => Promise<unknown>): Promise<StoreHealth> {
  const began = performance.now();
  const latencyMs = () => Math.round((performance.now() - began) * 10) / 10;
  try {
    await ask();
    return { status: "up", latencyMs: latencyMs() };
  } catch (error) {
    return { status: "down", latencyMs: latencyMs(), error: error instanceof Error ? error.message : String(error) };
  }
}
