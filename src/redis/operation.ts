import { Cluster } from "ioredis";
import type { RedisConfig } from "../config/types.js";
import { type DriverError, OperationAbortedError, RedisCommandError } from "../errors.js";
import type { Cancel, Limiter } from "../limiter.js";
import { currentLogFields } from "../telemetry/logFields.js";
import type { Driver } from "./connection.js";
import { lastConnectionError } from "./connectionLog.js";
import { isServerError, isTemporary, toDriverError } from "./driverErrors.js";
import { type Interruption, interruptionError, REASONS, unknownError } from "./outcomeErrors.js";
import type { Follower, SendOptions } from "./sendOptions.js";
import type { CommandMetrics } from "./telemetry/commandMetrics.js";
import type { UnderWay } from "./telemetry/slowCommands.js";
import { type CommandOwner, TrackedCommand } from "./trackedCommand.js";

/** What operations of one client share. */
export interface Ground {
  readonly driver: Driver;
  readonly limiter: Limiter;
  readonly config: RedisConfig;
  /** undefined: nobody measures. */
  readonly metrics: CommandMetrics | undefined;
}

/** A call that can be ended before its commands are answered. */
export interface Interruptible extends UnderWay {
  interrupt(reason: Interruption): void;
}

/** How one attempt failed: certainly not executed, or sent and never answered. */
type Failure = "refused" | "unsent" | "lost";

/** The longest pause before the first repetition, in milliseconds; it doubles with each one, up to `MAX_BACKOFF_MS`. */
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 250;
/** About what a waiting command takes in memory besides its arguments, in bytes: promises, timers, the callers that wait. */
const COMMAND_BYTES = 4_096;
const BYTES_PER_CHARACTER = 2;

/**
 * One call of `RedisClient.send`: the one place where a command is tried again, and where its outcome is decided.
 * Callbacks lead from step to step and timers run only while something is waited for: most commands are answered at once, and every
 * promise and timer more costs a share of the throughput.
 */
export class Operation implements CommandOwner, Interruptible {
  /** By `performance.now()`. */
  readonly startedAt = performance.now();
  readonly logFields = currentLogFields();
  readonly #limiter: Limiter;
  readonly #weight: number;
  #name: string;
  #args: readonly (string | number)[];
  #text: string | undefined;
  #hasScript = false;
  #resolve!: (value: unknown) => void;
  #reject!: (error: Error) => void;
  #over = false;
  #inside = false;
  #onAbort: (() => void) | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #backOffTimer: NodeJS.Timeout | undefined;
  /** Set while it waits for a place. */
  #leaveQueue: Cancel | undefined;
  /** Set while an attempt is under way. */
  #command: TrackedCommand | undefined;
  #follower: TrackedCommand | undefined;
  #followed: Promise<unknown> | undefined;
  /** Commands that the driver has not settled; it may hold them longer than their caller waits. */
  #held = 0;
  #lastError: DriverError | undefined;
  #lostReplies = 0;
  #repetitions = 0;

  constructor(
    private readonly ground: Ground,
    name: string,
    args: readonly (string | number)[],
    private readonly options: SendOptions,
    private readonly onOver: (operation: Operation, error: Error | undefined) => void,
  ) {
    this.#limiter = options.limiter ?? ground.limiter;
    this.#name = name;
    this.#args = args;
    this.#text = options.text;
    this.#weight = weigh(args, options.text);
  }

  /** The command's name. */
  get command(): string {
    return this.#name;
  }

  /** To be called once. */
  run(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#begin();
    });
  }

  /** Ends the caller's wait; what has been sent stays sent. */
  interrupt(reason: Interruption): void {
    if (this.#over) return;
    const error = this.#interrupted(reason);
    this.#command?.withdraw();
    this.#follower?.withdraw();
    this.#fail(error);
  }

  silent(command: TrackedCommand, error: DriverError): void {
    this.#failed(command, "lost", error);
  }

  /** The deadline may have passed while the command was on its way; now it waits to be sent again. */
  returned(error: Error): void {
    this.ground.metrics?.refused(error);
    this.#armDeadline();
  }

  #begin(): void {
    const { signal, timeoutMs, placed = false } = this.options;
    this.#inside = placed;
    if (signal?.aborted) {
      this.#fail(new OperationAbortedError(`${this.#name} was aborted before it began`));
      return;
    }
    if (signal) {
      this.#onAbort = () => this.interrupt("aborted");
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (timeoutMs !== undefined) this.#armDeadline();
    if (placed || this.#limiter.tryEnter(this.#weight)) this.#enter();
    else this.#queueUp();
  }

  #armDeadline(): void {
    if (this.#over) return;
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(() => this.#onDeadline(), this.#timeLeft());
  }

  /** Without a `timeoutMs` the deadline is for being sent; the reply has a timeout of its own. */
  #onDeadline(): void {
    if (this.options.timeoutMs !== undefined || !this.#command?.outstanding) this.interrupt("deadline");
  }

  #timeLeft(): number {
    return this.startedAt + (this.options.timeoutMs ?? this.ground.config.poolTimeoutMs) - performance.now();
  }

  #queueUp(): void {
    const { poolTimeoutMs } = this.ground.config;
    const timeoutMs = Math.min(this.options.timeoutMs ?? poolTimeoutMs, poolTimeoutMs);
    const refused = (error: Error) => this.#fail(error);
    this.#leaveQueue = this.#limiter.wait(() => this.#enter(), refused, { weight: this.#weight, timeoutMs });
  }

  #enter(): void {
    this.#leaveQueue = undefined;
    this.#inside = true;
    this.#attempt();
  }

  #attempt(): void {
    const { writeTimeoutMs, readTimeoutMs } = this.ground.config;
    const replyTimeoutMs = this.options.kind === "read" ? readTimeoutMs : writeTimeoutMs;
    const command = new TrackedCommand(this.#name, this.#args, replyTimeoutMs, this, this.#text);
    this.#command = command;
    command.promise.then(
      (value) => this.#replied(command, value),
      (error: unknown) => this.#rejected(command, error),
    );
    this.#transmit(command);
    if (this.options.follower) this.#follow(this.options.follower, replyTimeoutMs);
    if (!command.outstanding) this.#armDeadline();
  }

  #follow({ command, args }: Follower, replyTimeoutMs: number): void {
    const follower = new TrackedCommand(command, args, replyTimeoutMs);
    this.#follower = follower;
    // Nobody may be waiting when it fails.
    this.#followed = follower.promise.catch(() => undefined);
    this.ground.metrics?.time(follower);
    void this.#followed.then(() => this.#letGo());
    this.#transmit(follower);
  }

  #transmit(command: TrackedCommand): void {
    this.#held += 1;
    this.ground.driver.sendCommand(command);
    command.watch();
  }

  #replied(command: TrackedCommand, value: unknown): void {
    if (this.#command === command) {
      this.#end();
      this.#resolve(value);
    }
    this.#letGo();
  }

  #rejected(command: TrackedCommand, error: unknown): void {
    if (isServerError(error)) this.#failed(command, "refused", toDriverError(error));
    else this.#failed(command, command.outstanding ? "lost" : "unsent", this.#connectionError(error));
    this.#letGo();
  }

  /** ioredis tells callers only that the connection is closed; why is known from the connection itself. */
  #connectionError(error: unknown): DriverError {
    return lastConnectionError(this.ground.driver) ?? toDriverError(error);
  }

  #failed(command: TrackedCommand, failure: Failure, error: DriverError): void {
    if (this.#command !== command) return;
    this.#command = undefined;
    this.#lastError = error;
    if (failure === "lost") this.#lostReplies += 1;
    if (this.#takesScript(error)) this.#attempt();
    else if (this.#mayRepeat(failure, error)) this.#backOff();
    else
      this.#fail(
        this.#mayBeDone() ? unknownError(this.#name, error.message, error) : new RedisCommandError(this.#name, error),
      );
  }

  #takesScript(error: DriverError): boolean {
    const { withScript } = this.options;
    if (error.driverCode !== "NOSCRIPT" || !withScript || this.#hasScript) return false;
    this.#hasScript = true;
    const { command, args, text } = withScript;
    this.#name = command;
    this.#args = args;
    this.#text = text;
    return true;
  }

  #mayRepeat(failure: Failure, error: DriverError): boolean {
    if (failure === "refused") return isTemporary(error);
    if (failure === "unsent" || this.options.kind === "idempotent") return true;
    return this.options.kind === "read" && this.#lostReplies <= this.ground.config.maxRetries;
  }

  #backOff(): void {
    const { driver } = this.ground;
    if (driver instanceof Cluster && driver.status === "ready") driver.refreshSlotsCache();
    // Spread, so that callers do not come back all at once.
    const longest = Math.min(FIRST_BACKOFF_MS * 2 ** this.#repetitions++, MAX_BACKOFF_MS);
    const pause = longest * (0.2 + 0.8 * Math.random());
    if (pause > this.#timeLeft() && this.options.timeoutMs === undefined) this.interrupt("deadline");
    else this.#backOffTimer = setTimeout(() => this.#attempt(), pause);
  }

  /** Whether the server may have executed a write whose reply nobody has got. */
  #mayBeDone(): boolean {
    return this.options.kind !== "read" && (this.#lostReplies > 0 || this.#command?.outstanding === true);
  }

  #interrupted(interruption: Interruption): Error {
    // The deadline is the limiter's own limit there; either timer may fire first.
    if (this.#leaveQueue && interruption === "deadline") return this.#limiter.options.refused("timeout", this.#limiter);
    if (this.#mayBeDone()) return unknownError(this.#name, REASONS[interruption], this.#lastError);
    return interruptionError(this.#name, interruption, this.options.kind, this.#lastError);
  }

  #fail(error: Error): void {
    this.#end(error);
    this.#reject(error);
    this.#leave();
  }

  #end(error?: Error): void {
    this.#over = true;
    this.#command = undefined;
    this.#leaveQueue?.();
    if (this.#deadlineTimer) clearTimeout(this.#deadlineTimer);
    if (this.#backOffTimer) clearTimeout(this.#backOffTimer);
    if (this.#onAbort) this.options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#followed) void this.#followed.then(this.options.follower?.settled);
    this.onOver(this, error);
  }

  #letGo(): void {
    this.#held -= 1;
    this.#leave();
  }

  /** The place stays taken while the driver holds a command, so that memory is bounded. */
  #leave(): void {
    if (!this.#inside || !this.#over || this.#held > 0) return;
    this.#inside = false;
    this.#limiter.leave(this.#weight);
  }
}

/** About what the driver's copy of a command takes in memory, in bytes. */
export function weigh(args: readonly (string | number)[], text = ""): number {
  let characters = text.length;
  for (const arg of args) if (typeof arg === "string") characters += arg.length;
  return COMMAND_BYTES + BYTES_PER_CHARACTER * characters;
}
