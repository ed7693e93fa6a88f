import { setTimeout as delay } from "node:timers/promises";
import type { RedisConfig } from "../../../src/config/types.js";
import { createRedisClient, type RedisClient, type RedisClientOptions } from "../../../src/redis/client.js";
import { createRedisRepository, type RedisRepository } from "../../../src/redis/repository.js";
import { createSignals, type Signals } from "../../../src/redis/signals/signals.js";
import { NO_INSTRUMENTS } from "../../../src/telemetry/instruments.js";
import { recordingLogger } from "../../support/recordingLogger.js";

type Address = { readonly host: string; readonly port: number };

export function redisConfig(mode: RedisConfig["mode"], addresses: readonly Address[], more: Partial<RedisConfig> = {}) {
  const config: RedisConfig = {
    mode,
    addresses: addresses.map(({ host, port }) => ({ host, port })),
    name: "doordarshan-test",
    credentials: { kind: "variables", variable: "REDIS_CLUSTER_PASSWORD", username: undefined, password: undefined },
    tls: undefined,
    dialTimeoutMs: 2_000,
    readTimeoutMs: 2_000,
    writeTimeoutMs: 2_000,
    poolTimeoutMs: 20_000,
    maxInFlight: 1_000,
    maxWaiting: 9_000,
    connectAllAtStart: true,
    maxRetries: 3,
    streamTtlMs: 3_600_000,
    streamMaxLength: 10_000,
    maxPayloadBytes: 262_144,
    maxQueuedBytes: 16_777_216,
    followSweepMs: 1_000,
    enableNotifications: true,
    slowOperationMs: 1_000,
    ...more,
  };
  return config;
}

export interface Opened {
  readonly client: RedisClient;
  readonly redis: RedisRepository;
  readonly signals: Signals;
  readonly logger: ReturnType<typeof recordingLogger>;
}

export async function openClient(
  redis: RedisConfig,
  timeoutMs = 10_000,
  { instruments = NO_INSTRUMENTS, ...more }: Pick<RedisClientOptions, "instruments" | "slowOperationMs"> = {},
): Promise<Opened> {
  const logger = recordingLogger();
  const client = createRedisClient({ redis }, { logger, instruments, ...more });
  await client.connect(timeoutMs);
  const repository = createRedisRepository(client, redis, logger, instruments);
  const signals = createSignals({ client, redis: repository, config: redis, logger, instruments });
  return { client, redis: repository, signals, logger };
}

/** How much later it settles than a timer of `timeoutMs` that is set beside it, in milliseconds: a stall of the process delays both. */
export async function lateness(promise: Promise<unknown>, timeoutMs: number): Promise<number> {
  const timer = delay(timeoutMs).then(() => performance.now());
  const settled = promise.then(
    () => performance.now(),
    () => performance.now(),
  );
  return (await settled) - (await timer);
}

/** What a promise rejects with. Fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  const value = await promise.then(
    (result) => ({ result }),
    (error: unknown) => error,
  );
  if (value instanceof Error) return value as Error & Record<string, unknown>;
  throw new Error(`Expected a rejection, got ${JSON.stringify(value)}`);
}
