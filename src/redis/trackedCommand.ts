import type { Duplex } from "node:stream";
import { Command } from "ioredis";
import { isServerError } from "./driverErrors.js";

const PING = "*1\r\n$4\r\nPING\r\n";

/**
 * A command that knows whether its bytes may have reached a server and still await their reply.
 * ioredis calls `toWritable` exactly when it hands the bytes to a socket, also when it follows a redirection.
 */
export class TrackedCommand extends Command {
  #outstanding = false;
  #withdrawn = false;
  #socket: Duplex | undefined;
  readonly #onSent: () => void;

  constructor(name: string, args: readonly (string | number)[], onSent: () => void) {
    super(name, [...args], { replyEncoding: "utf8" });
    this.#onSent = onSent;
  }

  /** Whether the command was sent and not answered: if its connection is lost now, nobody knows what became of it. */
  get outstanding(): boolean {
    return this.#outstanding;
  }

  override toWritable(socket: object): string | Buffer {
    if (this.#withdrawn) return PING;
    this.#socket = socket as Duplex;
    gatherWrites(this.#socket);
    this.#outstanding = true;
    this.#onSent();
    return super.toWritable(socket);
  }

  /** To be called right after `sendCommand`: in cluster mode ioredis puts its own `reject` in place there and may then send again. */
  watchRefusals(): void {
    const { reject } = this;
    this.reject = (error) => {
      if (isServerError(error)) this.#outstanding = false;
      reject.call(this, error);
    };
  }

  /** The caller has left: should ioredis still hold the command in a queue, a PING goes out in its place. */
  withdraw(): void {
    if (this.#outstanding) return;
    this.#withdrawn = true;
    this.args = [];
  }

  /** Ends the connection that owes the reply; everything behind it on that connection waits for the same frozen server. */
  dropConnection(reason: Error): void {
    this.#socket?.destroy(reason);
  }
}

/** Commands of one turn of the loop leave in one write: a system call for each costs more than all the rest. */
function gatherWrites(socket: Duplex): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
