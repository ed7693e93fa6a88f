import { Command, type Redis } from "ioredis";
import { closeDriver } from "../connection.js";
import { ping } from "../subscriptions.js";
import type { CommandMetrics } from "../telemetry/commandMetrics.js";
import type { Ask, Room } from "./room.js";

export interface ReadingConnectionOptions {
  readonly onReady: () => void;
  readonly onClose: () => void;
  /** undefined: nobody measures. */
  readonly metrics: CommandMetrics | undefined;
}

/** A node's connection that reads followed streams. */
export class ReadingConnection {
  /** What was asked in this turn, by its arguments. */
  #shared: Map<string, Promise<unknown>> | undefined;
  readonly #metrics: CommandMetrics | undefined;

  constructor(
    private readonly connection: Redis,
    { onReady, onClose, metrics }: ReadingConnectionOptions,
  ) {
    this.#metrics = metrics;
    connection.on("ready", onReady);
    connection.on("close", onClose);
    connection.connect().catch(() => undefined);
  }

  get ready(): boolean {
    return this.connection.status === "ready";
  }

  /** Sends what `work` asks in one write. */
  turn(work: () => void): void {
    const { stream } = this.connection;
    stream.cork();
    this.#shared = new Map();
    work();
    this.#shared = undefined;
    stream.uncork();
  }

  /** How the room's stream is asked where it is. */
  askFor(room: Room): Ask {
    const ask = room.movingFrom === undefined ? this.ask : this.#askMoving;
    if (room.followers.size === 1) return ask;
    // Subscribers that are equally far, as most are, read together.
    return (command, args) => (command === "XRANGE" ? this.#askTogether(ask, args) : ask(command, args));
  }

  readonly ask: Ask = (command, args) => {
    // Its silence is noticed by the probe behind it; a timer for each read would cost more than the read.
    const sent = new Command(command, [...args], { replyEncoding: "utf8" });
    this.connection.sendCommand(sent);
    this.#metrics?.time(sent);
    return sent.promise;
  };

  /** Drops the connection unless it answers in time. */
  probe(replyTimeoutMs: number): void {
    if (this.ready) ping(this.connection, replyTimeoutMs);
  }

  close(): void {
    closeDriver(this.connection);
  }

  readonly #askMoving: Ask = (command, args) => {
    this.connection.asking().catch(() => undefined);
    return this.ask(command, args);
  };

  #askTogether(ask: Ask, args: readonly (string | number)[]): Promise<unknown> {
    const key = args.join("\n");
    const reply = this.#shared?.get(key) ?? ask("XRANGE", args);
    this.#shared?.set(key, reply);
    return reply;
  }
}
