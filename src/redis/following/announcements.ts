import type { Redis } from "ioredis";
import { type DriverError, RedisCommandError } from "../../errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { Throttle } from "../../telemetry/throttle.js";
import { closeDriver } from "../connection.js";
import { isServerError, toDriverError } from "../driverErrors.js";
import { ping } from "../subscriptions.js";
import type { Room } from "./room.js";

/** Channels of one SUBSCRIBE or UNSUBSCRIBE. */
const CHANNELS_AT_ONCE = 500;

/** A node's connection that hears when an entry is added to a followed stream. */
export class Announcements {
  /** By channel. */
  readonly #rooms = new Map<string, Room>();
  readonly #toSubscribe = new Set<Room>();
  readonly #toUnsubscribe = new Set<string>();
  #scheduled = false;
  readonly #warnings = new Throttle();

  constructor(
    private readonly connection: Redis,
    private readonly logger: Logger,
    private readonly heard: () => void,
  ) {
    connection.on("message", (channel: string, event: string) => this.#announced(channel, event));
    connection.on("ready", () => this.#schedule());
    connection.on("close", () => this.#lost());
    connection.connect().catch(() => undefined);
  }

  /** Asks for the room's announcements unless they are asked for already; the room is told when they are confirmed. */
  add(room: Room): void {
    this.#rooms.set(this.#channelOf(room), room);
    if (room.subscribing) return;
    this.#toSubscribe.add(room);
    this.#schedule();
  }

  remove(room: Room): void {
    const channel = this.#channelOf(room);
    this.#rooms.delete(channel);
    this.#toSubscribe.delete(room);
    if (room.subscribed || room.subscribing) this.#toUnsubscribe.add(channel);
    room.subscribed = false;
    room.subscribing = false;
    this.#schedule();
  }

  /** Nobody waits for a reply on this connection, so only a PING shows that the server is gone without a word. */
  probe(replyTimeoutMs: number): void {
    if (this.connection.status === "ready") ping(this.connection, replyTimeoutMs);
  }

  close(): void {
    this.#rooms.clear();
    this.#toSubscribe.clear();
    this.#toUnsubscribe.clear();
    closeDriver(this.connection);
  }

  #channelOf({ stream }: Room): string {
    return `__keyspace@${this.connection.options.db ?? 0}__:${stream}`;
  }

  #announced(channel: string, event: string): void {
    this.heard();
    if (event === "xadd") this.#rooms.get(channel)?.due("announced");
  }

  #lost(): void {
    this.#toUnsubscribe.clear();
    for (const room of this.#rooms.values()) {
      room.subscribed = false;
      room.subscribing = false;
      this.#toSubscribe.add(room);
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      if (this.connection.status === "ready") this.#flush();
    });
  }

  /** Unsubscribes first: a room may have left and come back in one turn. */
  #flush(): void {
    for (const channels of batches(this.#toUnsubscribe))
      this.connection.unsubscribe(...channels).catch(() => undefined);
    for (const rooms of batches(this.#toSubscribe)) void this.#subscribe(rooms);
    this.#toUnsubscribe.clear();
    this.#toSubscribe.clear();
  }

  async #subscribe(rooms: readonly Room[]): Promise<void> {
    for (const room of rooms) room.subscribing = true;
    const wanted = (room: Room) => room.subscribing && this.#rooms.get(this.#channelOf(room)) === room;
    try {
      await this.connection.subscribe(...rooms.map((room) => this.#channelOf(room)));
      for (const room of rooms.filter(wanted)) room.confirmed();
    } catch (error) {
      // A lost connection subscribes anew when it is back.
      if (!isServerError(error)) return;
      const cause = toDriverError(error);
      for (const room of rooms.filter(wanted)) room.refused(new RedisCommandError("SUBSCRIBE", cause));
      this.#warn(cause);
    }
  }

  #warn(cause: DriverError): void {
    if (!this.#warnings.allows()) return;
    this.logger.warn(
      { event: "redis.subscribe", code: cause.driverCode },
      `Redis refuses to announce new entries; followed streams are read with the sweep: ${cause.message}`,
    );
  }
}

function batches<T>(items: ReadonlySet<T>): T[][] {
  const all = [...items];
  return Array.from({ length: Math.ceil(all.length / CHANNELS_AT_ONCE) }, (_, i) =>
    all.slice(i * CHANNELS_AT_ONCE, (i + 1) * CHANNELS_AT_ONCE),
  );
}
