import type { Duplex } from "node:stream";
import { Command } from "ioredis";
import { DriverError } from "../errors.js";
import { isServerError } from "./driverErrors.js";
import { Overdue } from "./overdue.js";

const PING = "*1\r\n$4\r\nPING\r\n";

const NO_ARGS: [] = [];
const OPTIONS = { replyEncoding: "utf8" } as const;

function isText(arg: string | number): arg is string {
  return typeof arg === "string";
}

/** Who is told what becomes of a command, beyond its promise. */
export interface CommandOwner {
  /** No reply came in time; the connection is about to be dropped. */
  silent(command: TrackedCommand, error: DriverError): void;
  /** A server has refused it: it may be redirected, and wait for another node. */
  returned(error: Error): void;
}

/**
 * A command that knows whether its bytes may have reached a server and still await their reply. A server that does not
 * reply in time loses its connection, whether or not the caller still waits: everything behind it there waits for the same
 * frozen server. ioredis calls `toWritable` exactly when it hands the bytes to a socket, also when it follows a redirection.
 */
export class TrackedCommand extends Command {
  #outstanding = false;
  #withdrawn = false;
  #socket: Duplex | undefined;
  readonly #awaited: Overdue<Awaiting>;

  constructor(
    name: string,
    args: readonly (string | number)[],
    private readonly replyTimeoutMs: number,
    private readonly owner?: CommandOwner,
    /** The whole command as it goes over the wire, where that is at hand. */
    private readonly text?: string,
  ) {
    super(name, NO_ARGS, OPTIONS);
    // Not by the constructor, which flattens and converts them: that takes longer than all the rest of sending a command.
    this.args = args.every(isText) ? (args as string[]) : args.map(String);
    this.#awaited = awaitedFor(replyTimeoutMs);
  }

  /** Whether the command was sent and not answered: if its connection is lost now, nobody knows what became of it. */
  get outstanding(): boolean {
    return this.#outstanding;
  }

  override toWritable(socket: object): string | Buffer {
    this.#socket = socket as Duplex;
    this.#awaited.add(this);
    gatherWrites(this.#socket);
    if (this.#withdrawn) return PING;
    this.#outstanding = true;
    return this.text ?? super.toWritable(socket);
  }

  /** To be called right after `sendCommand`: in cluster mode ioredis puts its own `reject` in place there and may then send again. */
  watch(): void {
    const { resolve, reject } = this;
    this.resolve = (value) => {
      this.#forgetSocket();
      return resolve.call(this, value);
    };
    this.reject = (error) => {
      // After a redirection the command may wait for another node for long; the one that answered owes nothing.
      this.#forgetSocket();
      if (isServerError(error)) {
        this.#outstanding = false;
        this.owner?.returned(error as Error);
      }
      reject.call(this, error);
    };
  }

  #forgetSocket(): void {
    this.#awaited.delete(this);
    this.#socket = undefined;
  }

  /** Its reply has not come in time. */
  drop(): void {
    const error = new DriverError(`no reply within ${this.replyTimeoutMs} ms`, { driverCode: "ETIMEDOUT" });
    this.owner?.silent(this, error);
    this.#socket?.destroy(error);
  }

  /** The caller has left: should ioredis still hold the command in a queue, a PING goes out in its place. */
  withdraw(): void {
    if (this.#outstanding) return;
    this.#withdrawn = true;
    this.args = [];
  }
}

/** What awaits replies, and gives its connection up when they have not come in time. */
interface Awaiting {
  drop(): void;
}

/** What awaits replies, by how long it may; as many as there are timeouts in the configurations of this process. */
const awaited = new Map<number, Overdue<Awaiting>>();

export function awaitedFor(replyTimeoutMs: number): Overdue<Awaiting> {
  let same = awaited.get(replyTimeoutMs);
  if (!same) {
    same = new Overdue(replyTimeoutMs, (awaiting) => awaiting.drop());
    awaited.set(replyTimeoutMs, same);
  }
  return same;
}

/** Commands of one turn of the loop leave in one write: a system call for each costs more than all the rest. */
export function gatherWrites(socket: Duplex): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
