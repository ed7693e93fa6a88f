import type { DataConfig } from "../config/index.js";
import { withDeadline } from "../deadline.js";
import {
  ClientNilError,
  ConfigNilError,
  DeadlineExceededError,
  InvalidInputError,
  OperationAbortedError,
  PendingMigrationsError,
  StartupError,
  type StartupStage,
  type Store,
} from "../errors.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../mysql/dataSource.js";
import { pendingMigrations, runMigrations } from "../mysql/migrator/migrator.js";
import { type Database, poolDatabase, transactionDatabase } from "../mysql/repositories/database.js";
import type { Repositories } from "../mysql/repositories/index.js";
import { observedRepositories } from "../mysql/repositories/observed.js";
import { showFleet } from "../mysql/telemetry/fleetGauges.js";
import { Operations } from "../mysql/telemetry/operations.js";
import { runTransaction, type Transaction, type TransactionOptions } from "../mysql/transaction.js";
import { createRedisClient, type RedisClient } from "../redis/client.js";
import { createRedisRepository, type RedisRepository } from "../redis/repository.js";
import { createSignals } from "../redis/signals/signals.js";
import { Instruments } from "../telemetry/instruments.js";
import { lineLogger } from "../telemetry/lineLogger.js";
import { createLogger, type Logger } from "../telemetry/logger.js";
import { METRICS } from "../telemetry/metrics.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { HealthQuestions, unasked, withStates } from "./health/health.js";
import { type Health, judge } from "./health/verdict.js";
import { type ContainerSignals, withSnapshot } from "./snapshot.js";

export interface ContainerOptions {
  /** What to do when the database lacks migrations: refuse to start, or run them first. Default `refuse`. One that is ahead is refused always. */
  readonly migrations?: "refuse" | "run";
  /** Default: pino, JSON lines on standard output at level `info`. */
  readonly logger?: Logger;
  /** Where metrics and spans go: `prometheus()`, `openTelemetry()`. Default: nowhere, and nothing is measured. */
  readonly telemetry?: readonly Telemetry[];
  /** How long `start()` may take until it is ready or has failed and closed what it opened; running migrations apart. Default 10,000 ms. */
  readonly startTimeoutMs?: number;
  /** How long `stop()` may take. Default 5,000 ms. */
  readonly stopTimeoutMs?: number;
  /** How long `health()` tells what the stores answered without asking them again. Default 1,000 ms, 0 to 60,000. */
  readonly healthMaxAgeMs?: number;
}

export type ContainerState = "new" | "starting" | "ready" | "stopping" | "stopped";

/** The application container: boots both stores in order and closes them in order. Made by `createContainer`. */
export interface Container {
  readonly state: ContainerState;
  readonly logger: Logger;
  /** @throws ClientNilError before `start()` and after `stop()`; the same holds for the members below */
  readonly dataSource: DataSource;
  readonly repositories: Repositories;
  readonly redis: RedisRepository;
  readonly signals: ContainerSignals;
  /** Resolves when ready. Concurrent calls share one start; a stopped container may be started again.
   * @throws StartupError naming stage, store and cause; everything that was opened is closed again */
  start(): Promise<void>;
  /** Not ready → finish or time out what is pending → close Redis → drain the pool. Idempotent, bounded by `stopTimeoutMs`. */
  stop(): Promise<void>;
  /**
   * Whether to keep the process, whether to send it work, and what each store tells of itself. However often and by however many it is
   * called, each store is asked at most once in `healthMaxAgeMs`, and for at most 2 s. Never rejects.
   */
  health(): Promise<Health>;
  /** Runs `work` in one transaction under one deadline; see `TransactionOptions`. */
  transaction<T>(work: (tx: RepositoryTransaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export interface RepositoryTransaction extends Transaction {
  /** What they do is committed or undone with the transaction. */
  readonly repositories: Repositories;
}

/**
 * Makes a container; nothing is opened before `start()`.
 * @throws ConfigNilError when `config` is missing
 * @throws InvalidInputError when an option is out of its bounds
 */
export function createContainer(config: DataConfig, options: ContainerOptions = {}): Container {
  if (!config?.mysql || !config.redis) throw new ConfigNilError();
  return new DataContainer(config, options);
}

/** A store that takes longer, in milliseconds, is shown as not ready in the metrics. */
const READINESS_TIMEOUT_MS = 1_500;
/** The share of a time limit that is kept for closing what does not close by itself. */
const CLOSING_SHARE = 0.1;

interface Stores {
  readonly dataSource: DataSource;
  readonly repositories: Repositories;
  readonly redisClient: RedisClient;
  readonly redis: RedisRepository;
  readonly signals: ContainerSignals;
}

class DataContainer implements Container {
  readonly logger: Logger;
  readonly #config: DataConfig;
  readonly #instruments: Instruments;
  readonly #operations: Operations;
  readonly #repositoriesOn: (database: Database) => Repositories;
  readonly #migrations: "refuse" | "run";
  readonly #startTimeoutMs: number;
  readonly #stopTimeoutMs: number;
  readonly #health: HealthQuestions;
  /** Those that run, each with what ends it early. */
  readonly #transactions = new Map<Promise<unknown>, AbortController>();
  #state: ContainerState = "new";
  #stores: Stores | undefined;
  /** Ends the migrations of a start that is no longer wanted, before their next statement. */
  #migrating: AbortController | undefined;
  /** What was asked for last, and its outcome; a start under way looks here whether it is still wanted. */
  #goal: "start" | "stop" = "stop";
  #outcome: Promise<void> = Promise.resolve();

  constructor(config: DataConfig, options: ContainerOptions) {
    this.#config = config;
    this.#migrations = checkMigrations(options.migrations ?? "refuse");
    this.#startTimeoutMs = checkTimeout("startTimeoutMs", options.startTimeoutMs ?? 10_000);
    this.#stopTimeoutMs = checkTimeout("stopTimeoutMs", options.stopTimeoutMs ?? 5_000);
    this.#health = new HealthQuestions(checkMaxAge(options.healthMaxAgeMs ?? 1_000));
    this.logger = lineLogger(options.logger ?? createLogger());
    this.#instruments = new Instruments(options.telemetry);
    this.#operations = new Operations(this.#instruments, config.mysql);
    this.#repositoriesOn = observedRepositories(this.#operations);
  }

  get state(): ContainerState {
    return this.#state;
  }

  get dataSource(): DataSource {
    return this.#member("dataSource");
  }

  get repositories(): Repositories {
    return this.#member("repositories");
  }

  get redis(): RedisRepository {
    return this.#member("redis");
  }

  get signals(): ContainerSignals {
    return this.#member("signals");
  }

  start(): Promise<void> {
    if (this.#goal === "stop") {
      this.#goal = "start";
      this.#outcome = this.#boot(this.#outcome);
    }
    return this.#outcome;
  }

  stop(): Promise<void> {
    if (this.#goal === "start") {
      this.#goal = "stop";
      this.#migrating?.abort();
      this.#outcome = this.#shutDown(this.#outcome);
    }
    return this.#outcome;
  }

  async health(): Promise<Health> {
    const stores = this.#stores;
    const { mode } = this.#config.redis;
    const { mysql, redis } = stores
      ? withStates(await this.#health.ask(stores), stores)
      : unasked(`the container is ${this.#state}`);
    // The state of this moment: a container that stops is not ready, whatever the stores answered before.
    return judge(this.#state, mysql, { ...redis, mode });
  }

  async transaction<T>(work: (tx: RepositoryTransaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (this.#state !== "ready") throw new ClientNilError("transaction", this.#state);
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const run = () => runTransaction(this.dataSource, (tx) => work(this.#withRepositories(tx)), { ...options, signal });
    const running = this.#operations.traced("container.transaction", run);
    this.#transactions.set(running, stop);
    return running.finally(() => this.#transactions.delete(running));
  }

  #member<K extends keyof Stores>(name: K): Stores[K] {
    // Still there while stopping, so that what is pending can finish.
    if (!this.#stores) throw new ClientNilError(name, this.#state);
    return this.#stores[name];
  }

  #withRepositories({ manager }: Transaction): RepositoryTransaction {
    return { manager, repositories: this.#repositoriesOn(transactionDatabase(manager)) };
  }

  async #boot(stopping: Promise<void>): Promise<void> {
    await stopping;
    const began = performance.now();
    const opening = () => countdown(this.#startTimeoutMs * (1 - CLOSING_SHARE));
    let timeLeft = opening();
    let stores: Stores | undefined;
    this.#state = "starting";
    this.#instruments.gauge(METRICS.containerReady, async () => [{ value: (await this.#isReady()) ? 1 : 0 }]);
    try {
      await this.#stage("configuration", undefined, () => this.#reportNotices());
      const told = this.#told();
      const dataSource = await this.#stage("credentials", "mysql", () => createDataSource(this.#config, told));
      const redisClient = await this.#stage("credentials", "redis", () => createRedisClient(this.#config, told));
      stores = this.#wire(dataSource, redisClient);
      await this.#stage("mysql", "mysql", () => openDataSource(dataSource, timeLeft()));
      const migrated = await this.#stage("schema", "mysql", () => this.#bringUpToDate(dataSource, timeLeft()));
      // Migrations take the time they need; what comes after has its own.
      if (migrated) timeLeft = opening();
      await this.#stage("redis", "redis", () => redisClient.connect(timeLeft()));
    } catch (error) {
      await this.#failStart(error as StartupError, stores);
      throw error;
    }
    this.#stores = stores;
    this.#state = "ready";
    this.#showGauges(stores.dataSource, performance.now() - began);
    this.logger.info({ event: "start.done" }, "The data layer is ready");
  }

  /** Runs one stage of the start; when `stop()` is called meanwhile, the start ends here. */
  async #stage<T>(stage: StartupStage, store: Store | undefined, run: () => T | Promise<T>): Promise<T> {
    try {
      this.#requireStart();
      const result = await run();
      this.#requireStart();
      return result;
    } catch (cause) {
      throw new StartupError(stage, store, cause);
    }
  }

  #requireStart(): void {
    if (this.#goal === "stop") throw new OperationAbortedError("stop() was called while starting");
  }

  #reportNotices(): void {
    for (const { level, variable, message } of this.#config.notices) {
      this.logger[level]({ event: "config.notice", variable }, `${variable}: ${message}`);
    }
  }

  /** Asks the stores as `health()` does, but is answered before a scrape gives the gauge up. */
  async #isReady(): Promise<boolean> {
    if (this.#state !== "ready") return false;
    let ready = false;
    const asked = this.health().then((health) => {
      ready = health.ready;
    });
    await settledWithin([asked], READINESS_TIMEOUT_MS);
    return ready;
  }

  /** Whom the stores tell what happens. */
  #told() {
    const { slowOperationMs } = this.#config.redis;
    return { logger: this.logger, instruments: this.#instruments, slowOperationMs };
  }

  #showGauges(dataSource: DataSource, startMs: number): void {
    this.#instruments.gauge(METRICS.containerStart, () => [{ value: startMs / 1_000 }]);
    showFleet(this.#instruments, dataSource, this.logger);
  }

  #wire(dataSource: DataSource, redisClient: RedisClient): Stores {
    const redis = createRedisRepository(redisClient, this.#config.redis, this.logger, this.#instruments);
    const repositories = this.#repositoriesOn(poolDatabase(dataSource));
    const ground = { client: redisClient, redis, config: this.#config.redis, ...this.#told() };
    const signals = createSignals(ground);
    return { dataSource, repositories, redisClient, redis, signals: withSnapshot(signals, repositories.meetings) };
  }

  /** Returns whether migrations were run. */
  async #bringUpToDate(dataSource: DataSource, timeoutMs: number): Promise<boolean> {
    const pending = await listPending(dataSource, timeoutMs);
    if (pending.length === 0) return false;
    if (this.#migrations === "refuse") throw new PendingMigrationsError(pending);
    this.#requireStart();
    this.#migrating = new AbortController();
    await runMigrations(this.#config, { logger: this.logger, signal: this.#migrating.signal });
    return true;
  }

  async #failStart(error: StartupError, stores: Stores | undefined): Promise<void> {
    if (stores) await closeStores(stores, countdown(this.#startTimeoutMs * CLOSING_SHARE));
    this.#instruments.close();
    // While stop() is under way the state is its to set.
    if (this.#goal === "start") {
      this.#state = "stopped";
      this.#goal = "stop";
      this.#outcome = Promise.resolve();
    }
    this.logger.error({ event: "start.failed", stage: error.stage, store: error.store }, error.message);
  }

  async #shutDown(starting: Promise<void>): Promise<void> {
    const timeLeft = countdown(this.#stopTimeoutMs * (1 - CLOSING_SHARE));
    this.#state = "stopping";
    // A start under way notices at its next stage and closes what it has opened.
    await settledWithin([starting], timeLeft());
    if (this.#stores) await this.#finish(this.#stores, timeLeft);
    this.#stores = undefined;
    this.#instruments.close();
    this.#state = "stopped";
    this.logger.info({ event: "stop.done" }, "The data layer is stopped");
  }

  /** Half of the time is for what is pending; then that is cut off, and the rest is for closing. */
  async #finish(stores: Stores, timeLeft: () => number): Promise<void> {
    const reading = stores.redisClient.stopReading();
    await settledWithin([reading, ...this.#transactions.keys()], timeLeft() / 2);
    for (const stop of this.#transactions.values()) stop.abort(new Error("the container is stopping"));
    await closeStores(stores, timeLeft);
  }
}

function checkMigrations(value: string): "refuse" | "run" {
  if (value === "refuse" || value === "run") return value;
  throw new InvalidInputError("migrations", 'must be "refuse" or "run"');
}

/** Above 2^31 - 1 Node's timers fire at once. */
function checkTimeout(argument: string, ms: number): number {
  if (ms > 0 && ms < 2 ** 31) return ms;
  throw new InvalidInputError(argument, "must be above 0 and below 2^31 milliseconds");
}

function checkMaxAge(ms: number): number {
  if (ms >= 0 && ms <= 60_000) return ms;
  throw new InvalidInputError("healthMaxAgeMs", "must be from 0 to 60,000 milliseconds");
}

async function closeStores({ redisClient, dataSource }: Stores, timeLeft: () => number): Promise<void> {
  await redisClient.close(timeLeft() / 2);
  await closeDataSource(dataSource, timeLeft());
}

function listPending(dataSource: DataSource, timeoutMs: number): Promise<string[]> {
  const overdue = () =>
    new DeadlineExceededError(`MySQL did not tell its migrations within ${Math.round(timeoutMs)} ms`);
  return withDeadline({ timeoutMs, overdue }, (deadline) => deadline.race(pendingMigrations(dataSource)));
}

/** Counts down from `ms`; the function returned says how many milliseconds are left, never less than 0. */
function countdown(ms: number): () => number {
  const end = performance.now() + ms;
  return () => Math.max(0, end - performance.now());
}

/** Resolves when all have settled or after `ms`, whichever is first. */
async function settledWithin(promises: Iterable<Promise<unknown>>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.allSettled(promises), timeUp]);
  clearTimeout(timer);
}
