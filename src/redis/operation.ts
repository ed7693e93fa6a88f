import { Cluster } from "ioredis";
import type { RedisConfig } from "../config/types.js";
import { type DriverError, OperationAbortedError, RedisCommandError } from "../errors.js";
import type { Limiter } from "../limiter.js";
import type { Driver } from "./connection.js";
import { lastConnectionError } from "./connectionLog.js";
import { isServerError, isTemporary, toDriverError } from "./driverErrors.js";
import { type Interruption, interruptionError, REASONS, unknownError } from "./outcomeErrors.js";
import { TrackedCommand } from "./trackedCommand.js";

export interface SendOptions {
  /** A write is never repeated once it was sent; `read` stands for everything that may be executed twice. */
  readonly kind: "read" | "write";
  /**
   * Bounds the whole call, in milliseconds. By default a command waits up to the pool timeout before it is sent
   * and up to the read or write timeout after that.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Goes out right behind the command, each time it is sent, and shares its place. */
  readonly follower?: Follower;
  /** Bounds this command instead of the client's own limiter. */
  readonly limiter?: Limiter;
}

/** A command that may be executed twice, and whose outcome its leader's caller does not wait for. */
export interface Follower {
  readonly command: string;
  readonly args: readonly (string | number)[];
  /** Called once, after the last attempt, with its reply or with undefined for any other outcome; not if none was made. */
  readonly settled: (reply: unknown) => void;
}

/** How one attempt ended: answered, certainly not executed, or sent and never answered. */
type Attempt =
  | { readonly kind: "reply"; readonly value: unknown }
  | { readonly kind: "refused" | "unsent" | "lost"; readonly error: DriverError };

/** The longest pause before the first repetition, in milliseconds; it doubles with each one, up to `MAX_BACKOFF_MS`. */
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 250;

/** One call of `RedisClient.send`: the one place where a command is tried again, and where its outcome is decided. */
export class Operation {
  readonly finished: Promise<void>;
  readonly #deadline: number;
  readonly #replyTimeoutMs: number;
  #interruption: Interruption | undefined;
  /** What ends the present wait. A plain function: an AbortController for each command would cost half the throughput. */
  #onInterrupt: () => void = () => undefined;
  #command: TrackedCommand | undefined;
  #follower: TrackedCommand | undefined;
  #lastError: DriverError | undefined;
  #lostReplies = 0;
  #repetitions = 0;
  #finish!: () => void;

  constructor(
    private readonly driver: Driver,
    private readonly limiter: Limiter,
    private readonly config: RedisConfig,
    private readonly name: string,
    private readonly args: readonly (string | number)[],
    private readonly options: SendOptions,
  ) {
    this.#deadline = performance.now() + (options.timeoutMs ?? config.poolTimeoutMs);
    this.#replyTimeoutMs = options.kind === "read" ? config.readTimeoutMs : config.writeTimeoutMs;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Ends the caller's wait; what has been sent stays sent. */
  interrupt(reason: Interruption): void {
    if (this.#interruption) return;
    this.#interruption = reason;
    this.#onInterrupt();
  }

  async run(): Promise<unknown> {
    const { signal } = this.options;
    const onAbort = () => this.interrupt("aborted");
    const timer = setTimeout(() => this.#onDeadline(), this.#deadline - performance.now());
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal?.aborted) throw new OperationAbortedError(`${this.name} was aborted before it began`);
      return await this.#inPlace();
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#finish();
    }
  }

  /** Without a `timeoutMs` the deadline is for being sent; the reply has a timeout of its own. */
  #onDeadline(): void {
    if (this.options.timeoutMs !== undefined || !this.#command?.outstanding) this.interrupt("deadline");
  }

  async #inPlace(): Promise<unknown> {
    const release = await this.#acquire();
    try {
      return await this.#untilDecided();
    } finally {
      // ioredis may hold the commands longer than their caller waits; their place stays taken, so that memory is bounded.
      const follower = this.#follower?.promise.catch(() => undefined);
      const leave = () => void (follower ? follower.then(release) : release());
      if (this.#command) this.#command.promise.then(leave, leave);
      else release();
      void follower?.then(this.options.follower?.settled);
    }
  }

  async #acquire(): Promise<() => void> {
    const timeoutMs = Math.min(this.options.timeoutMs ?? Number.POSITIVE_INFINITY, this.config.poolTimeoutMs);
    const { limiter = this.limiter } = this.options;
    if (limiter.inUse < limiter.options.limit && limiter.waiting === 0) return limiter.acquire();
    const leave = new AbortController();
    this.#onInterrupt = () => leave.abort();
    try {
      return await limiter.acquire({ timeoutMs, signal: leave.signal });
    } catch (error) {
      if (!(error instanceof OperationAbortedError)) throw error;
      // The deadline is the limiter's own limit here; either timer may fire first.
      throw this.#interruption === "deadline" ? limiter.options.refused("timeout", limiter) : this.#interrupted();
    }
  }

  async #untilDecided(): Promise<unknown> {
    for (;;) {
      const attempt = await this.#attempt();
      if (!attempt) throw this.#interrupted();
      if (attempt.kind === "reply") return attempt.value;
      this.#lastError = attempt.error;
      if (!this.#mayRepeat(attempt)) throw this.#failed(attempt);
      if (!(await this.#backOff())) throw this.#interrupted();
    }
  }

  /** Resolves with undefined when interrupted first. */
  #attempt(): Promise<Attempt | undefined> {
    if (this.#interruption) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const onSilence = (error: DriverError) => resolve({ kind: "lost", error });
      const command = new TrackedCommand(this.name, this.args, this.#replyTimeoutMs, onSilence);
      this.#command = command;
      this.#onInterrupt = () => {
        command.withdraw();
        this.#follower?.withdraw();
        resolve(undefined);
      };
      command.promise.then(
        (value) => resolve({ kind: "reply", value }),
        (error: unknown) => resolve(this.#classify(command, error)),
      );
      this.#transmit(command);
      const { follower } = this.options;
      if (!follower) return;
      this.#follower = new TrackedCommand(follower.command, follower.args, this.#replyTimeoutMs);
      // Nobody may be waiting when it fails.
      this.#follower.promise.catch(() => undefined);
      this.#transmit(this.#follower);
    });
  }

  #transmit(command: TrackedCommand): void {
    this.driver.sendCommand(command);
    command.watch();
  }

  #classify(command: TrackedCommand, error: unknown): Attempt {
    if (isServerError(error)) return { kind: "refused", error: toDriverError(error) };
    if (command.outstanding) return { kind: "lost", error: this.#connectionError(error) };
    return { kind: "unsent", error: this.#connectionError(error) };
  }

  /** ioredis tells callers only that the connection is closed; why is known from the connection itself. */
  #connectionError(error: unknown): DriverError {
    return lastConnectionError(this.driver) ?? toDriverError(error);
  }

  #mayRepeat(attempt: Exclude<Attempt, { kind: "reply" }>): boolean {
    if (attempt.kind === "refused") return isTemporary(attempt.error);
    if (attempt.kind === "unsent") return true;
    this.#lostReplies += 1;
    return this.options.kind === "read" && this.#lostReplies <= this.config.maxRetries;
  }

  /** Resolves with false when interrupted, or when the deadline leaves no time for another attempt. */
  #backOff(): Promise<boolean> {
    if (this.driver instanceof Cluster && this.driver.status === "ready") this.driver.refreshSlotsCache();
    // Spread, so that callers do not come back all at once.
    const longest = Math.min(FIRST_BACKOFF_MS * 2 ** this.#repetitions++, MAX_BACKOFF_MS);
    const pause = longest * (0.2 + 0.8 * Math.random());
    if (performance.now() + pause > this.#deadline && this.options.timeoutMs === undefined) this.interrupt("deadline");
    if (this.#interruption) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause, true);
      this.#onInterrupt = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
  }

  #failed({ kind, error }: Exclude<Attempt, { kind: "reply" }>): Error {
    if (kind === "lost" && this.options.kind === "write") return unknownError(this.name, error.message, error);
    return new RedisCommandError(this.name, error);
  }

  #interrupted(): Error {
    const interruption = this.#interruption ?? "deadline";
    const unanswered = this.options.kind === "write" && this.#command?.outstanding;
    if (unanswered) return unknownError(this.name, REASONS[interruption], this.#lastError);
    return interruptionError(this.name, interruption, this.options.kind, this.#lastError);
  }
}
