import type { Duplex } from "node:stream";
import { Command, type Redis } from "ioredis";
import { type DataError, DriverError, RedisCommandError } from "../errors.js";
import { currentLogFields } from "../telemetry/logFields.js";
import { lastConnectionError } from "./connectionLog.js";
import { isServerError, isTemporary, toDriverError } from "./driverErrors.js";
import { type Ground, type Interruptible, weigh } from "./operation.js";
import { type Interruption, REASONS, unknownError } from "./outcomeErrors.js";
import { awaitedFor, gatherWrites } from "./trackedCommand.js";

/** A write with one key: the whole command as it goes over the wire. */
export interface Write {
  readonly key: string;
  readonly text: string;
}

/** What became of a write; `refused` was certainly not executed and may be sent again, in its place, which stays taken. */
export type WriteOutcome = { readonly reply: string | null } | { readonly error: DataError } | "refused";

export interface BatchOptions<W extends Write> {
  /** Bounds the wait for the replies, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Called once for each write. */
  readonly settled: (write: W, outcome: WriteOutcome) => void;
}

/** In characters; longer ones are not worth the copy. */
const PIECE_LENGTH = 65_536;
const NO_ARGS: [] = [];
const TEXT = { replyEncoding: "utf8" } as const;

export class BatchedCommand<W extends Write> extends Command {
  readonly weight: number;
  /** Whether the caller does not know yet what became of it. */
  open = true;
  /** Whether its bytes were handed to a socket. */
  sent = false;

  constructor(
    name: string,
    readonly write: W,
  ) {
    super(name, NO_ARGS, TEXT);
    const args = [write.key];
    this.args = args;
    this.weight = weigh(args, write.text);
  }

  override toWritable(): string {
    this.sent = true;
    return this.write.text;
  }
}

/** Joins what ioredis writes command by command, as for a pipeline of its own: a hundred writes take as long as all else. */
class Pieces {
  readonly isPipeline = true;
  readonly destination: { readonly redis: Redis };
  #text = "";

  constructor(node: Redis) {
    this.destination = { redis: node };
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_LENGTH) this.flush();
  }

  flush(): void {
    this.destination.redis.stream.write(this.#text);
    this.#text = "";
  }
}

/**
 * Writes that go to one node in one go. Each has a place and an outcome of its own; timers and listeners, of which an `Operation` needs
 * its own, are shared: they cost more than all the rest. Nothing is sent twice here.
 */
export class Batch<W extends Write> implements Interruptible {
  readonly startedAt = performance.now();
  readonly logFields = currentLogFields();
  readonly #commands: BatchedCommand<W>[] = [];
  readonly #awaited: ReturnType<typeof awaitedFor>;
  /** Commands that the driver has not settled. */
  #held = 0;
  /** Of how many the caller does not know yet what became of them. */
  #open = 0;
  #socket: Duplex | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | undefined;
  #onOver: (batch: Batch<W>) => void = () => undefined;

  constructor(
    private readonly ground: Ground,
    private readonly node: Redis,
    private readonly options: BatchOptions<W>,
  ) {
    this.#awaited = awaitedFor(ground.config.writeTimeoutMs);
  }

  /** The name of all of its commands. */
  get command(): string {
    return this.#commands[0]?.name ?? "";
  }

  add(command: BatchedCommand<W>): void {
    this.#commands.push(command);
  }

  /** To be called once. `onOver` hears when the caller knows what became of each. */
  send(onOver: (batch: Batch<W>) => void): void {
    this.#onOver = onOver;
    this.#held = this.#open = this.#commands.length;
    const { timeoutMs, signal } = this.options;
    if (timeoutMs !== undefined) this.#deadlineTimer = setTimeout(() => this.interrupt("deadline"), timeoutMs);
    if (signal) {
      this.#onAbort = () => this.interrupt("aborted");
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    this.#awaited.add(this);
    this.#socket = this.node.stream;
    gatherWrites(this.#socket);
    const pieces = new Pieces(this.node);
    for (const command of this.#commands) this.#transmit(command, pieces);
    pieces.flush();
  }

  #transmit(command: BatchedCommand<W>, pieces: Pieces): void {
    const { resolve, reject } = command;
    command.resolve = (reply) => {
      this.#settled(command, { reply: reply === null ? null : String(reply) });
      return resolve.call(command, reply);
    };
    command.reject = (error) => {
      this.#settled(command, this.#judge(command, error));
      // Nobody waits for it but who traces the driver.
      command.promise.catch(() => undefined);
      reject.call(command, error);
    };
    this.node.sendCommand(command, pieces);
  }

  /** Ends the caller's wait; what has been sent stays sent. */
  interrupt(reason: Interruption): void {
    this.#end((name) => unknownError(name, REASONS[reason], undefined));
  }

  /** The replies have not come in time; whether or not the caller still waits, all else on this connection waits for the same server. */
  drop(): void {
    const error = new DriverError(`no reply within ${this.ground.config.writeTimeoutMs} ms`, {
      driverCode: "ETIMEDOUT",
    });
    this.#end((name) => unknownError(name, error.message, error));
    this.#socket?.destroy(error);
  }

  #end(errorOf: (name: string) => DataError): void {
    for (const command of this.#commands) if (command.open) this.#tell(command, { error: errorOf(command.name) });
  }

  #judge(command: BatchedCommand<W>, error: Error): WriteOutcome {
    const { driver } = this.ground;
    const cause = isServerError(error) ? toDriverError(error) : (lastConnectionError(driver) ?? toDriverError(error));
    if (isServerError(error)) this.ground.metrics?.refused(error);
    if (!isServerError(error))
      return command.sent ? { error: unknownError(command.name, cause.message, cause) } : "refused";
    return isTemporary(cause) ? "refused" : { error: new RedisCommandError(command.name, cause) };
  }

  /** Places stay taken while the driver holds the commands, so that memory is bounded. */
  #settled(command: BatchedCommand<W>, outcome: WriteOutcome): void {
    this.#held -= 1;
    if (this.#held === 0) this.#awaited.delete(this);
    if (!command.open || outcome !== "refused") this.ground.limiter.leave(command.weight);
    this.#tell(command, outcome);
  }

  #tell(command: BatchedCommand<W>, outcome: WriteOutcome): void {
    if (!command.open) return;
    command.open = false;
    this.#open -= 1;
    // What was refused is sent again by itself, and measured then.
    if (outcome !== "refused")
      this.ground.metrics?.over(command.name, this.startedAt, "error" in outcome ? outcome.error : undefined);
    this.options.settled(command.write, outcome);
    if (this.#open > 0) return;
    clearTimeout(this.#deadlineTimer);
    if (this.#onAbort) this.options.signal?.removeEventListener("abort", this.#onAbort);
    this.#onOver(this);
  }
}
