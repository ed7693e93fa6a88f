import type { DataConfig } from "../config/types.js";
import { BackpressureError, ClientNilError, type DataError } from "../errors.js";
import { Limiter } from "../limiter.js";
import { type Instruments, NO_INSTRUMENTS } from "../telemetry/instruments.js";
import type { Logger } from "../telemetry/logger.js";
import { SlowLines } from "../telemetry/slowLines.js";
import type { Write } from "./batch.js";
import { batchesOf } from "./batching.js";
import { checkConnection, type ServerInfo } from "./connectCheck.js";
import { closeDriver, createDriverFactory, type Driver, type DriverFactory } from "./connection.js";
import { countDown } from "./countDown.js";
import { Following } from "./following/following.js";
import { createTopology } from "./following/topology.js";
import { checkTimeout } from "./input.js";
import { inspectRedis, type RedisInspection } from "./inspection.js";
import { type Ground, type Interruptible, Operation } from "./operation.js";
import type { SendOptions } from "./sendOptions.js";
import { type MessageHandler, type Subscription, Subscriptions } from "./subscriptions.js";
import { CommandMetrics } from "./telemetry/commandMetrics.js";
import { Failovers } from "./telemetry/failovers.js";
import { showGauges } from "./telemetry/gauges.js";
import { SlowCommands } from "./telemetry/slowCommands.js";

export type { SendOptions } from "./sendOptions.js";
export type { MessageHandler, Subscription } from "./subscriptions.js";

export interface RedisClientState {
  readonly status: "new" | "ready" | "disconnected" | "closed";
  /** Commands in flight, and callers waiting for a place. */
  readonly inFlight: number;
  readonly waiting: number;
  /** Most that may be in flight at once. */
  readonly limit: number;
  /** About how much memory both take, in bytes. */
  readonly queuedBytes: number;
}

/** What became of one of many writes: an error as `send` throws it. */
export type SendOutcome = { readonly reply: unknown } | { readonly error: DataError };

/** Redis, a cluster or a single instance alike. */
export interface RedisClient {
  /**
   * Connects, authenticates and pings; in cluster mode it also waits until the cluster reports every slot as served.
   * @throws RedisPingError that tells what to check; nothing is left open then
   */
  connect(timeoutMs: number): Promise<void>;
  /**
   * Sends one command and resolves with its reply, byte strings as UTF-8.
   * What was certainly not executed (no connection, a failover under way) is tried again until the deadline;
   * a write whose reply was lost never is, a read up to `maxRetries` times, an idempotent write until the deadline.
   * @throws NotStoredError a write was not executed by the deadline
   * @throws PublishUnknownError a write was sent and its reply lost: it may or may not have been executed
   * @throws DeadlineExceededError a read was not answered by the deadline
   * @throws RedisCommandError the server refused the command for good (it was not executed), or a read's reply was lost each time
   * @throws BackpressureError no place in flight came free in time, or too many callers wait; nothing was sent
   * @throws OperationAbortedError `signal` fired; a write was not executed
   * @throws InvalidInputError a timeout of 0 or less, or longer than a timer can wait (2³¹ - 1 ms)
   * @throws ClientNilError after `close()`
   */
  send(command: string, args: readonly (string | number)[], options: SendOptions): Promise<unknown>;
  /**
   * As `send` for each of many writes of one command, in their order; those for one node leave in one go, at a fraction of the cost.
   * Tells what became of each once and as soon as it is known, of some before it returns.
   */
  sendMany<W extends Write>(
    command: string,
    writes: readonly W[],
    options: Pick<SendOptions, "timeoutMs" | "signal">,
    settled: (write: W, outcome: SendOutcome) => void,
  ): void;
  /**
   * Receives the messages of a channel on a connection of its own, sharded (SSUBSCRIBE) in a cluster of Redis 7 or later.
   * Resolves when the server has confirmed it; subscribed again after each reconnection.
   * @throws RedisCommandError, DeadlineExceededError, OperationAbortedError, BackpressureError, ClientNilError
   */
  subscribe(channel: string, handler: MessageHandler, signal?: AbortSignal): Promise<Subscription>;
  /** Whether publishing goes by SPUBLISH. */
  readonly shardedPubSub: boolean;
  /** Tells when streams have new entries, on connections of its own that are opened at first use. */
  readonly following: Following;
  /** Ends every subscription and all following; commands go on. Resolves when signal handlers that ran have finished or were given up. */
  stopReading(): Promise<void>;
  /** Takes no more commands, waits up to `timeoutMs` for those in flight, then closes every connection. Idempotent. */
  close(timeoutMs: number): Promise<void>;
  state(): RedisClientState;
  /**
   * Asks whether Redis answers and what it is, within `timeoutMs` milliseconds, also while every place in flight is taken.
   * @throws DeadlineExceededError, RedisCommandError, ClientNilError
   */
  inspect(timeoutMs: number): Promise<RedisInspection>;
}

/** A command that takes so long, in milliseconds, is logged unless said otherwise. */
const SLOW_MS = 1_000;

export interface RedisClientOptions {
  readonly logger: Logger;
  /** Default: nothing is measured. */
  readonly instruments?: Instruments;
  /** A command that takes so long, in milliseconds and all its waits included, is logged; 0 logs none. Default 1,000. */
  readonly slowOperationMs?: number;
}

/**
 * Makes a client; reads the secret file, opens nothing.
 * @throws CredentialError, ConfigError when a file of the configuration cannot be used
 */
export function createRedisClient(config: Pick<DataConfig, "redis">, options: RedisClientOptions): RedisClient {
  const { logger, instruments = NO_INSTRUMENTS, slowOperationMs = SLOW_MS } = options;
  const factory = createDriverFactory(config.redis, { logger, instruments });
  return new DriverClient(config.redis, { logger, instruments, slowOperationMs }, factory);
}

/** More than are under way at once, since a silent server's stay in flight until its connection is given up. */
const INSPECTION_LIMIT = 32;
const LIMITS = "REDIS_CLUSTER_POOL_SIZE, REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS or REDIS_MAX_QUEUED_BYTES";

class DriverClient implements RedisClient {
  readonly following: Following;
  readonly #config: DataConfig["redis"];
  readonly #driver: Driver;
  readonly #limiter: Limiter;
  /** The places for questions about health, so that a busy client is not taken for a dead server. */
  readonly #inspecting: Limiter;
  readonly #ground: Ground;
  readonly #subscriptions: Subscriptions;
  readonly #operations = new Set<Interruptible>();
  readonly #slow: SlowCommands;
  /** undefined: nobody measures. */
  readonly #metrics: CommandMetrics | undefined;
  /** What ends the watching of all that. */
  readonly #stopWatching: readonly (() => void)[];
  #info: ServerInfo | undefined;
  #closing: Promise<void> | undefined;
  #onDrained: () => void = () => undefined;

  constructor(
    config: DataConfig["redis"],
    { logger, instruments, slowOperationMs }: Required<RedisClientOptions>,
    factory: DriverFactory,
  ) {
    this.#config = config;
    this.#driver = factory.commands();
    const topology = createTopology(this.#driver);
    this.#subscriptions = new Subscriptions(factory, config, logger);
    this.#metrics = instruments.measuring ? new CommandMetrics(instruments) : undefined;
    this.following = new Following(topology, factory, config, logger, this.#metrics);
    this.#limiter = new Limiter({
      limit: config.maxInFlight,
      queueLimit: config.maxWaiting,
      weightLimit: config.maxQueuedBytes,
      timeoutMs: config.poolTimeoutMs,
      refused: (reason) => new BackpressureError(backpressure(reason, config)),
    });
    this.#inspecting = new Limiter({
      limit: INSPECTION_LIMIT,
      queueLimit: INSPECTION_LIMIT,
      timeoutMs: config.poolTimeoutMs,
      refused: () => new BackpressureError("Redis has not answered earlier questions about its health"),
    });
    this.#ground = { driver: this.#driver, limiter: this.#limiter, config, metrics: this.#metrics };
    this.#slow = new SlowCommands(this.#operations, new SlowLines(logger, "redis", slowOperationMs));
    this.#stopWatching = [
      showGauges(instruments, this.#limiter, this.following),
      new Failovers(topology, logger, instruments).watch(),
      () => this.#slow.stop(),
    ];
  }

  async connect(timeoutMs: number): Promise<void> {
    checkTimeout("timeoutMs", timeoutMs, "from 0");
    this.#slow.start();
    try {
      const ask = (command: string, ...args: string[]) => this.send(command, args, { kind: "read", timeoutMs });
      this.#info = await checkConnection(this.#driver, this.#config, timeoutMs, ask);
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  // Not async: a promise less for each command.
  send(command: string, args: readonly (string | number)[], options: SendOptions): Promise<unknown> {
    if (this.#closing) return Promise.reject(new ClientNilError("redis", "stopped"));
    try {
      if (options.timeoutMs !== undefined) checkTimeout("options.timeoutMs", options.timeoutMs);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#run(command, args, options);
  }

  #run(command: string, args: readonly (string | number)[], options: SendOptions): Promise<unknown> {
    const operation = new Operation(this.#ground, command, args, options, this.#onOver);
    this.#operations.add(operation);
    return operation.run();
  }

  sendMany<W extends Write>(
    command: string,
    writes: readonly W[],
    { timeoutMs, signal }: Pick<SendOptions, "timeoutMs" | "signal">,
    settled: (write: W, outcome: SendOutcome) => void,
  ): void {
    if (this.#closing) {
      const error = new ClientNilError("redis", "stopped");
      for (const write of writes) settled(write, { error });
      return;
    }
    const left = countDown(timeoutMs);
    const sendAlone = (write: W, placed: boolean) => {
      const options = { kind: "write", ...left(), signal, text: write.text, placed } as const;
      this.#run(command, [write.key], options).then(
        (reply) => settled(write, { reply }),
        (error) => settled(write, { error }),
      );
    };
    const { batches, alone } = batchesOf(this.#ground, command, writes, {
      timeoutMs,
      signal,
      settled: (write, outcome) => (outcome === "refused" ? sendAlone(write, true) : settled(write, outcome)),
    });
    for (const batch of batches) {
      this.#operations.add(batch);
      batch.send(this.#onBatchOver);
    }
    for (const write of alone) sendAlone(write, false);
  }

  async subscribe(channel: string, handler: MessageHandler, signal?: AbortSignal): Promise<Subscription> {
    if (this.#closing) throw new ClientNilError("redis", "stopped");
    return this.#subscriptions.add(channel, handler, { sharded: this.shardedPubSub, signal });
  }

  get shardedPubSub(): boolean {
    return this.#config.mode === "cluster" && (this.#info?.majorVersion ?? 0) >= 7;
  }

  stopReading(): Promise<void> {
    this.#subscriptions.close();
    return this.following.close();
  }

  async close(timeoutMs: number): Promise<void> {
    checkTimeout("timeoutMs", timeoutMs, "from 0");
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    void this.stopReading();
    if (this.#operations.size > 0) await this.#drained(timeoutMs);
    for (const operation of this.#operations) operation.interrupt("closing");
    for (const stop of this.#stopWatching) stop();
    closeDriver(this.#driver);
  }

  /** Resolves when no operation is left, or after `timeoutMs`. */
  async #drained(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }

  readonly #onBatchOver = (batch: Interruptible): void => this.#done(batch, undefined);

  readonly #onOver = (operation: Operation, error: Error | undefined): void => {
    this.#metrics?.over(operation.command, operation.startedAt, error);
    this.#done(operation, error);
  };

  #done(operation: Interruptible, error: Error | undefined): void {
    this.#operations.delete(operation);
    this.#slow.over(operation, error);
    if (this.#operations.size === 0) this.#onDrained();
  }

  state(): RedisClientState {
    const { inUse, waiting, weight, options } = this.#limiter;
    return { status: this.#status(), inFlight: inUse, waiting, limit: options.limit, queuedBytes: weight };
  }

  async inspect(timeoutMs: number): Promise<RedisInspection> {
    const limiter = this.#inspecting;
    const ask = (command: string, ...args: string[]) => this.send(command, args, { kind: "read", timeoutMs, limiter });
    return inspectRedis(this.#driver, this.#config, ask);
  }

  #status(): RedisClientState["status"] {
    if (this.#closing) return "closed";
    if (!this.#info) return "new";
    return this.#driver.status === "ready" ? "ready" : "disconnected";
  }
}

function backpressure(
  reason: "timeout" | "queue-full",
  { maxInFlight, maxWaiting, maxQueuedBytes, poolTimeoutMs }: DataConfig["redis"],
) {
  const full = `${maxInFlight} Redis commands, or ${maxQueuedBytes} bytes of them, are in flight`;
  const why =
    reason === "queue-full"
      ? `${full}, and ${maxWaiting} callers, or as many bytes, wait already`
      : `${full} and none finished in time (pool timeout ${poolTimeoutMs} ms)`;
  return `${why}; nothing was sent; check that Redis keeps up, or raise ${LIMITS}`;
}
