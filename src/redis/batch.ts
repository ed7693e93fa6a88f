import type { Duplex } from "node:stream";
import { Cluster, Command, type Redis } from "ioredis";
import { type DataError, DriverError, RedisCommandError } from "../errors.js";
import type { Driver } from "./connection.js";
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

const NO_ARGS: [] = [];
const TEXT = { replyEncoding: "utf8" } as const;

class BatchedCommand<W extends Write> extends Command {
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

/**
 * Makes batches of one command's writes, in their order and one for each node, and takes their places. What is left to be sent `alone`:
 * writes whose node is not connected, and all from the first on for which there is no place now.
 */
export function batchesOf<W extends Write>(
  ground: Ground,
  name: string,
  writes: readonly W[],
  options: BatchOptions<W>,
): { readonly batches: Iterable<Batch<W>>; readonly alone: readonly W[] } {
  const batches = new Map<Redis, Batch<W>>();
  const alone: W[] = [];
  const nodeOf = nodesOf(ground.driver);
  let places = !options.signal?.aborted;
  for (const write of writes) {
    const command = new BatchedCommand(name, write);
    const node = places ? nodeOf(command) : undefined;
    if (node) places = ground.limiter.tryEnter(command.weight);
    if (node && places) {
      const batch = batches.get(node) ?? new Batch(ground, node, options);
      batches.set(node, batch);
      batch.add(command);
    } else alone.push(write);
  }
  return { batches: batches.values(), alone };
}

/** Tells the connected node that has a command's key, as far as it is known. */
function nodesOf(driver: Driver): (command: Command) => Redis | undefined {
  if (!(driver instanceof Cluster)) return () => (isConnected(driver) ? driver : undefined);
  if (driver.status !== "ready") return () => undefined;
  const nodes = new Map(driver.nodes().map((node) => [`${node.options.host}:${node.options.port}`, node]));
  return (command) => {
    const node = nodes.get(driver.slots[command.getSlot()]?.[0] ?? "");
    return node && isConnected(node) ? node : undefined;
  };
}

/** Whether what is sent is written at once, instead of being kept by ioredis for later. */
function isConnected({ status, stream }: Redis): boolean {
  return status === "ready" && stream?.writable;
}

/**
 * Writes that go to one node in one go. Each has a place and an outcome of its own; timers and listeners, of which an `Operation` needs
 * its own, are shared: they cost more than all the rest. Nothing is sent twice here.
 */
export class Batch<W extends Write> implements Interruptible {
  readonly startedAt = performance.now();
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
    for (const command of this.#commands) this.#transmit(command);
  }

  #transmit(command: BatchedCommand<W>): void {
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
    this.node.sendCommand(command);
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
