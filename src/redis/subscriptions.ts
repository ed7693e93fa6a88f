import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, type Redis } from "ioredis";
import type { RedisConfig } from "../config/types.js";
import { BackpressureError, DeadlineExceededError, OperationAbortedError, RedisCommandError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import { outsideOfCallers } from "../telemetry/outsideOfCallers.js";
import { closeDriver, type Driver, type DriverFactory, subscribers } from "./connection.js";
import { isServerError, toDriverError } from "./driverErrors.js";
import { TrackedCommand } from "./trackedCommand.js";

/** Gets a channel's messages; what it throws, or the promise it returns rejects with, is logged. */
export type MessageHandler = (message: string) => unknown;

export interface Subscription {
  /** Ends it: the handler is not called again. Idempotent. */
  close(): Promise<void>;
}

interface Channel {
  readonly handlers: Set<MessageHandler>;
  /** Whether the server has confirmed it; from then on it is renewed when a connection is. */
  confirmed: boolean;
  /** Whether the driver was given it; from then on it may send it again by itself. */
  given: boolean;
}

const RETRY_PAUSE_MS = 100;

/** Channels and their handlers, on one connection (sharded: one for each master that owns a channel), opened at first use. */
export class Subscriptions {
  readonly #channels = new Map<string, Channel>();
  /** Sockets that were seen before their connection was ready. */
  readonly #setUp = new WeakSet<object>();
  /** Channels that the driver has yet to give up. */
  readonly #unwanted = new Set<string>();
  #driver: Driver | undefined;
  #probing: NodeJS.Timeout | undefined;
  #sharded = false;
  #connecting: Promise<void> | undefined;
  #unconfirmed = 0;

  constructor(
    private readonly factory: DriverFactory,
    private readonly config: RedisConfig,
    private readonly logger: Logger,
  ) {}

  async add(
    channel: string,
    handler: MessageHandler,
    { sharded, signal }: { sharded: boolean; signal: AbortSignal | undefined },
  ): Promise<Subscription> {
    if (signal?.aborted) throw new OperationAbortedError("SUBSCRIBE was aborted before it began");
    if (this.#unconfirmed >= this.config.maxWaiting)
      throw new BackpressureError(`${this.#unconfirmed} subscriptions wait to be confirmed; check that Redis answers`);
    this.#driver ??= outsideOfCallers(() => this.#open(sharded));
    // A handler that subscribes twice is called twice, and each subscription is closed by itself.
    const own = AsyncLocalStorage.bind<MessageHandler>((message) => handler(message));
    const entry = this.#channels.get(channel) ?? { handlers: new Set(), confirmed: false, given: false };
    entry.handlers.add(own);
    this.#channels.set(channel, entry);
    this.#unwanted.delete(channel);
    const close = async () => {
      signal?.removeEventListener("abort", close);
      this.#remove(channel, own);
    };
    signal?.addEventListener("abort", close, { once: true });
    try {
      if (!entry.confirmed) await this.#subscribe(channel, own);
      entry.confirmed = true;
    } catch (error) {
      await close();
      throw error;
    }
    return { close };
  }

  close(): void {
    clearInterval(this.#probing);
    this.#channels.clear();
    this.#unwanted.clear();
    if (this.#driver) closeDriver(this.#driver);
  }

  #open(sharded: boolean): Driver {
    this.#sharded = sharded;
    const driver = this.factory.subscriptions(sharded);
    driver.on(sharded ? "smessage" : "message", (channel: string, message: string) => this.#dispatch(channel, message));
    // A cluster's subscriptions are renewed by ioredis; a single instance's by us, since ioredis leaves a failure there unhandled.
    if (!(driver instanceof Cluster)) driver.on("ready", () => this.#renew(driver));
    else driver.on("ready", () => this.#giveUp());
    this.#probing = setInterval(() => this.#probe(driver), this.config.readTimeoutMs).unref();
    return driver;
  }

  #giveUp(): void {
    for (const channel of this.#unwanted) this.#unsubscribe(channel);
  }

  /** Nobody waits for a reply on a subscribed connection, so only a PING shows that the server is gone without a word. */
  #probe(driver: Driver): void {
    this.#giveUp();
    for (const node of subscribers(driver)) {
      if (node.status === "ready") ping(node, this.config.readTimeoutMs);
      // It has had a whole interval for AUTH, and ioredis would wait for ever.
      else if (node.status === "connect" && this.#setUp.has(node.stream)) node.stream.destroy();
      else if (node.status === "connect") this.#setUp.add(node.stream);
    }
  }

  #renew(driver: Exclude<Driver, Cluster>): void {
    const channels = [...this.#channels.keys()];
    if (channels.length === 0) return;
    driver.subscribe(...channels).catch((error: unknown) => {
      const cause = toDriverError(error);
      this.logger.warn(
        { event: "redis.subscribe", code: cause.driverCode },
        `Subscribing again failed: ${cause.message}`,
      );
    });
  }

  async #subscribe(channel: string, handler: MessageHandler): Promise<void> {
    this.#unconfirmed += 1;
    try {
      await this.#confirm(channel, handler);
    } finally {
      this.#unconfirmed -= 1;
    }
  }

  async #confirm(channel: string, handler: MessageHandler): Promise<void> {
    const deadline = performance.now() + this.config.poolTimeoutMs;
    for (;;) {
      const error = await this.#trySubscribe(channel, deadline);
      if (!this.#channels.get(channel)?.handlers.has(handler))
        throw new OperationAbortedError("SUBSCRIBE was aborted, or the Redis client closed");
      if (!error) return;
      if (isServerError(error)) throw new RedisCommandError("SUBSCRIBE", toDriverError(error));
      if (performance.now() + RETRY_PAUSE_MS > deadline)
        throw new DeadlineExceededError(`SUBSCRIBE was not confirmed within ${this.config.poolTimeoutMs} ms`, {
          cause: toDriverError(error),
        });
      await sleep(RETRY_PAUSE_MS);
    }
  }

  /** Resolves with the error, if any; that nothing is answered in time counts as one. */
  async #trySubscribe(channel: string, deadline: number): Promise<Error | undefined> {
    // ioredis takes a MOVED for SSUBSCRIBE as news of the slots and never settles the promise: it is to be sent again.
    const patienceMs = this.#sharded ? this.config.readTimeoutMs : Number.POSITIVE_INFINITY;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no reply")), Math.min(patienceMs, deadline - performance.now()));
    });
    try {
      await Promise.race([this.#send(channel), silence]);
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(channel: string): Promise<unknown> {
    const driver = this.#driver as Driver;
    if (driver.status === "wait") this.#connecting = driver.connect();
    // Its first attempt only; from then on the driver goes on by itself.
    await this.#connecting?.finally(() => {
      this.#connecting = undefined;
    });
    const entry = this.#channels.get(channel);
    if (!entry || !canTake(driver)) throw new Error("Connection is closed.");
    entry.given = true;
    return this.#sharded ? driver.ssubscribe(channel) : driver.subscribe(channel);
  }

  #remove(channel: string, handler: MessageHandler): void {
    const entry = this.#channels.get(channel);
    if (!entry?.handlers.delete(handler) || entry.handlers.size > 0) return;
    this.#channels.delete(channel);
    if (!entry.given) return;
    this.#unwanted.add(channel);
    this.#unsubscribe(channel);
  }

  /** Not waited for: without a handler a message is dropped here, and a frozen server must not hold up the caller. */
  #unsubscribe(channel: string): void {
    const driver = this.#driver as Driver;
    if (!canTake(driver)) return;
    const done = this.#sharded ? driver.sunsubscribe(channel) : driver.unsubscribe(channel);
    done.then(
      () => this.#unwanted.delete(channel),
      () => undefined,
    );
  }

  #dispatch(channel: string, message: string): void {
    for (const handler of this.#channels.get(channel)?.handlers ?? []) {
      // The function wrapper turns a synchronous throw into a rejection too.
      (async () => handler(message))().catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        this.logger.error({ event: "redis.handler", channel }, `A message handler failed: ${text}`);
      });
    }
  }
}

/** A cluster's driver keeps what it is given while the whole cluster is away, without a bound and for ever. */
function canTake(driver: Driver): boolean {
  return !(driver instanceof Cluster) || driver.status === "ready";
}

/** Asks for a sign of life: the connection is dropped, and so renewed, when the reply does not come in time. */
export function ping(node: Redis, replyTimeoutMs: number): void {
  const command = new TrackedCommand("PING", [], replyTimeoutMs);
  // A lost connection is logged, and renewed, elsewhere.
  command.promise.catch(() => undefined);
  node.sendCommand(command);
  command.watch();
}
