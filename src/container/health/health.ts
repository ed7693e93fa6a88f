import { DataError, oneLine } from "../../errors.js";
import type { DataSource } from "../../mysql/dataSource.js";
import { inspectMysql, type MysqlInspection } from "../../mysql/inspection.js";
import { type PoolState, poolOf } from "../../mysql/pool.js";
import { asOperation } from "../../mysql/telemetry/operations.js";
import type { RedisClient, RedisClientState } from "../../redis/client.js";
import type { RedisInspection } from "../../redis/inspection.js";

/** How long a store may take to answer, in milliseconds. */
const INSPECTION_TIMEOUT_MS = 2_000;
const MAX_ERROR_LENGTH = 400;

export interface StoreHealth {
  /** Whether it answered. */
  readonly status: "up" | "down";
  /** How long its whole answer took, in milliseconds; at most about 2,000. */
  readonly latencyMs: number;
  /** Why it is down, or does not tell all that readiness needs; one line, no secret. */
  readonly error: string | undefined;
}

/** What MySQL told when it was up, beside the pool's state at the moment of the call. */
export interface MysqlHealth extends StoreHealth, Partial<Omit<MysqlInspection, "error">> {
  /** undefined while the container has none. */
  readonly pool: PoolState | undefined;
}

/** What Redis told when it was up, beside the client's state at the moment of the call. */
export interface RedisHealth extends StoreHealth, Partial<Omit<RedisInspection, "error">> {
  readonly mode: "cluster" | "single";
  /** undefined while the container has none. */
  readonly client: RedisClientState | undefined;
}

/** What health is asked of. */
export interface HealthStores {
  readonly dataSource: DataSource;
  readonly redisClient: RedisClient;
}

type Told<T> = StoreHealth & Partial<Omit<T, "error">>;

export interface Answers {
  readonly mysql: Told<MysqlInspection>;
  readonly redis: Told<RedisInspection>;
}

/** Asks the stores, not more often than `maxAgeMs` says: however many want to know, each store is asked once. */
export class HealthQuestions {
  #stores: HealthStores | undefined;
  #answers: Promise<Answers> | undefined;
  #askAgainAt = 0;

  constructor(private readonly maxAgeMs: number) {}

  /** What both stores answered at most `maxAgeMs` ago, or answer within 2 s. Never rejects. */
  ask(stores: HealthStores): Promise<Answers> {
    if (this.#answers && this.#stores === stores && performance.now() < this.#askAgainAt) return this.#answers;
    const answers = askBoth(stores);
    this.#stores = stores;
    this.#answers = answers;
    // While it is under way, everybody waits for it.
    this.#askAgainAt = Number.POSITIVE_INFINITY;
    void answers.then(() => {
      if (this.#answers === answers) this.#askAgainAt = performance.now() + this.maxAgeMs;
    });
    return answers;
  }
}

/** The pool's and the client's state cost nothing and are told as they are now. */
export function withStates({ mysql, redis }: Answers, { dataSource, redisClient }: HealthStores) {
  return {
    mysql: { ...mysql, pool: poolOf(dataSource).state },
    redis: { ...redis, client: redisClient.state() },
  };
}

export function unasked(error: string): Answers & { mysql: { pool: undefined }; redis: { client: undefined } } {
  const down = { status: "down", latencyMs: 0, error } as const;
  return { mysql: { ...down, pool: undefined }, redis: { ...down, client: undefined } };
}

async function askBoth({ dataSource, redisClient }: HealthStores): Promise<Answers> {
  const [mysql, redis] = await Promise.all([
    timed(() => asOperation("container.health", () => inspectMysql(dataSource, INSPECTION_TIMEOUT_MS))),
    timed(() => redisClient.inspect(INSPECTION_TIMEOUT_MS)),
  ]);
  return { mysql, redis };
}

async function timed<T extends { readonly error: string | undefined }>(ask: () => Promise<T>): Promise<Told<T>> {
  const began = performance.now();
  const latencyMs = () => Math.round((performance.now() - began) * 10) / 10;
  try {
    const told = await ask();
    return { ...told, status: "up", latencyMs: latencyMs(), error: told.error && shortLine(told.error) };
  } catch (error) {
    return { status: "down", latencyMs: latencyMs(), error: shortLine(textOf(error)) } as Told<T>;
  }
}

/** Of errors that are not ours nobody knows what they hold. */
function textOf(error: unknown): string {
  return error instanceof DataError ? error.message : "It could not be asked";
}

function shortLine(text: string): string {
  return oneLine(text).slice(0, MAX_ERROR_LENGTH);
}
