import { Command, type Redis } from "ioredis";
import type { RedisConfig } from "../../config/types.js";
import { RedisCommandError } from "../../errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { closeDriver, type DriverFactory } from "../connection.js";
import { isConnectionClosed, isServerError, isTemporary, toDriverError } from "../driverErrors.js";
import { ping } from "../subscriptions.js";
import { Announcements } from "./announcements.js";
import { Notifications } from "./notifications.js";
import { parseRedirection, type Redirection } from "./redirection.js";
import { type Ask, type Follower, type Occasion, type Room, strongerOf } from "./room.js";
import { parseAddress } from "./topology.js";

export interface NodeDependencies {
  readonly factory: DriverFactory;
  readonly config: RedisConfig;
  readonly logger: Logger;
  readonly redirected: (room: Room, redirection: Redirection) => void;
  /** The server cannot be reached, or does not serve the slot for now: somebody else may. */
  readonly troubled: () => void;
}

/** Most reads in flight to one node; more wait for their turn. */
const MAX_IN_FLIGHT = 512;
const RETRY_PAUSE_MS = 100;
const MAX_PROBE_INTERVAL_MS = 1_000;

/** A Redis server that owns followed streams: one connection that hears of new entries and one that reads them. */
export class FollowedNode {
  readonly #reading: Redis;
  readonly #announcements: Announcements;
  readonly #notifications: Notifications;
  readonly #rooms = new Set<Room>();
  /** Whose turn it is next, and why. */
  readonly #due = new Map<Follower, Occasion>();
  readonly #probing: NodeJS.Timeout;
  /** What was asked in this turn, by its arguments. */
  #sharedReads: Map<string, Promise<unknown>> | undefined;
  #inFlight = 0;
  #scheduled = false;
  #closed = false;

  constructor(
    readonly address: string,
    private readonly dependencies: NodeDependencies,
  ) {
    const { factory, config, logger, troubled } = dependencies;
    const place = parseAddress(address);
    this.#notifications = new Notifications(address, config.enableNotifications, logger);
    this.#announcements = new Announcements(factory.node(place), logger, () => this.#notifications.heard());
    this.#reading = factory.node(place);
    this.#reading.on("ready", () => this.#resume());
    this.#reading.on("close", troubled);
    this.#reading.connect().catch(() => undefined);
    const interval = Math.min(MAX_PROBE_INTERVAL_MS, config.readTimeoutMs);
    this.#probing = setInterval(() => this.#probe(), interval).unref();
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  add(room: Room): void {
    this.#rooms.add(room);
    room.node = this;
    this.#announcements.add(room);
  }

  remove(room: Room): void {
    this.#rooms.delete(room);
    room.node = undefined;
    for (const follower of room.followers) this.#due.delete(follower);
    this.#announcements.remove(room);
  }

  due(follower: Follower, occasion: Occasion): void {
    if (follower.reading) follower.again = strongerOf(occasion, follower.again);
    else this.#due.set(follower, strongerOf(occasion, this.#due.get(follower)));
    this.#schedule();
  }

  forget(follower: Follower): void {
    this.#due.delete(follower);
  }

  /** Its turn in the sweep. */
  sweep(room: Room): void {
    const relied = room.subscribed && this.#notifications.reliable;
    if (!room.subscribed) this.#announcements.add(room);
    room.due(relied ? "sweep" : "resumed");
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#probing);
    this.#due.clear();
    this.#announcements.close();
    closeDriver(this.#reading);
  }

  /** At the end of the turn, so that all that falls due in it leaves in one write. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#reading.status !== "ready" || this.#inFlight >= MAX_IN_FLIGHT) return;
    this.#reading.stream.cork();
    this.#sharedReads = new Map();
    for (const [follower, occasion] of this.#due) {
      if (this.#inFlight >= MAX_IN_FLIGHT) break;
      this.#due.delete(follower);
      void this.#read(follower, occasion);
    }
    this.#sharedReads = undefined;
    this.#reading.stream.uncork();
  }

  async #read(follower: Follower, occasion: Occasion): Promise<void> {
    const { room } = follower;
    this.#inFlight += 1;
    follower.reading = true;
    try {
      const more = await follower.reader.read(this.#askFor(room), occasion);
      if (more) follower.again = "resumed";
      if (more && occasion === "sweep" && this.#notifications.missed()) void this.#check();
    } catch (error) {
      this.#failed(follower, error);
    }
    this.#inFlight -= 1;
    follower.reading = false;
    const { again } = follower;
    follower.again = undefined;
    if (again) follower.due(again);
    if (this.#due.size > 0) this.#schedule();
  }

  #askFor(room: Room): Ask {
    const ask = room.movingFrom === undefined ? this.#ask : this.#askMoving;
    if (room.followers.size === 1) return ask;
    // Subscribers that are equally far, as most are, read together.
    return (command, args) => (command === "XRANGE" ? this.#shared(ask, args) : ask(command, args));
  }

  #shared(ask: Ask, args: readonly (string | number)[]): Promise<unknown> {
    const key = args.join("\n");
    const reply = this.#sharedReads?.get(key) ?? ask("XRANGE", args);
    this.#sharedReads?.set(key, reply);
    return reply;
  }

  readonly #askMoving: Ask = (command, args) => {
    this.#reading.asking().catch(() => undefined);
    return this.#ask(command, args);
  };

  readonly #ask: Ask = (command, args) => {
    // Its silence is noticed by the probe behind it; a timer for each read would cost more than the read.
    const sent = new Command(command, [...args], { replyEncoding: "utf8" });
    this.#reading.sendCommand(sent);
    return sent.promise;
  };

  #failed(follower: Follower, error: unknown): void {
    const { room } = follower;
    // Moved meanwhile: its new node reads it anew.
    if (room.node !== this) {
      follower.again ??= "resumed";
      return;
    }
    const cause = toDriverError(error);
    const redirection = isServerError(error) ? parseRedirection(cause.message, this.address) : undefined;
    if (redirection) this.dependencies.redirected(room, redirection);
    else if (isConnectionClosed(error) || isTemporary(cause)) this.#later(follower);
    else this.#refused(follower, new RedisCommandError(commandOf(error), cause));
  }

  #later(follower: Follower): void {
    if (follower.stopped) return;
    this.dependencies.troubled();
    // While there is no connection the follower waits for the next one.
    if (this.#reading.status !== "ready") this.#due.set(follower, "resumed");
    else setTimeout(() => follower.due("resumed"), RETRY_PAUSE_MS).unref();
  }

  #refused(follower: Follower, error: RedisCommandError): void {
    follower.reader.refused?.(error);
    this.dependencies.logger.warn(
      { event: "redis.follow", stream: follower.room.stream, command: error.command },
      `A followed stream cannot be read; it is tried again with the next sweep: ${error.message}`,
    );
  }

  #resume(): void {
    void this.#check();
    this.#schedule();
  }

  async #check(): Promise<void> {
    try {
      if (await this.#notifications.check(this.#ask)) for (const room of this.#rooms) room.due("resumed");
    } catch {
      // The connection failed; the next one is checked.
    }
  }

  #probe(): void {
    const { readTimeoutMs } = this.dependencies.config;
    if (this.#reading.status === "ready") ping(this.#reading, readTimeoutMs);
    this.#announcements.probe(readTimeoutMs);
  }
}

/** ioredis attaches the command; its arguments stay where they are. */
function commandOf(error: unknown): string {
  const { command } = error as { readonly command?: { readonly name?: unknown } };
  return String(command?.name ?? "a read").toUpperCase();
}
