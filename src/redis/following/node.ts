import type { RedisConfig } from "../../config/types.js";
import { RedisCommandError } from "../../errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { Throttle } from "../../telemetry/throttle.js";
import type { DriverFactory } from "../connection.js";
import { isConnectionClosed, isServerError, isTemporary, toDriverError } from "../driverErrors.js";
import type { CommandMetrics } from "../telemetry/commandMetrics.js";
import { Announcements } from "./announcements.js";
import { Notifications } from "./notifications.js";
import { ReadingConnection } from "./readingConnection.js";
import { parseRedirection, type Redirection } from "./redirection.js";
import { type Follower, type Occasion, type Room, strongerOf } from "./room.js";
import { parseAddress } from "./topology.js";

export interface NodeDependencies {
  readonly factory: DriverFactory;
  readonly config: RedisConfig;
  readonly logger: Logger;
  /** undefined: nobody measures. */
  readonly metrics: CommandMetrics | undefined;
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
  readonly #reading: ReadingConnection;
  readonly #announcements: Announcements;
  readonly #notifications: Notifications;
  readonly #rooms = new Set<Room>();
  /** Whose turn it is next, and why. */
  readonly #due = new Map<Follower, Occasion>();
  readonly #probing: NodeJS.Timeout;
  readonly #warnings = new Throttle();
  #inFlight = 0;
  #scheduled = false;
  #closed = false;

  constructor(
    readonly address: string,
    private readonly dependencies: NodeDependencies,
  ) {
    const { factory, config, logger, metrics, troubled } = dependencies;
    const place = parseAddress(address);
    this.#notifications = new Notifications(address, config.enableNotifications, logger);
    this.#announcements = new Announcements(factory.node(place), logger, () => this.#notifications.heard());
    const onReady = () => this.#resume();
    this.#reading = new ReadingConnection(factory.node(place), { onReady, onClose: troubled, metrics });
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
    this.#reading.close();
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
    if (this.#closed || !this.#reading.ready || this.#inFlight >= MAX_IN_FLIGHT) return;
    this.#reading.turn(() => {
      for (const [follower, occasion] of this.#due) {
        if (this.#inFlight >= MAX_IN_FLIGHT) return;
        this.#due.delete(follower);
        void this.#read(follower, occasion);
      }
    });
  }

  async #read(follower: Follower, occasion: Occasion): Promise<void> {
    const { room } = follower;
    this.#inFlight += 1;
    follower.reading = true;
    try {
      const more = await follower.reader.read(this.#reading.askFor(room), occasion);
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

  #failed(follower: Follower, error: unknown): void {
    const { room } = follower;
    // Moved meanwhile: its new node reads it anew.
    if (room.node !== this) {
      follower.again ??= "resumed";
      return;
    }
    const cause = toDriverError(error);
    this.dependencies.metrics?.refused(cause);
    const redirection = isServerError(error) ? parseRedirection(cause.message, this.address) : undefined;
    if (redirection) this.dependencies.redirected(room, redirection);
    else if (isConnectionClosed(error) || isTemporary(cause)) this.#later(follower);
    else this.#refused(follower, new RedisCommandError(commandOf(error), cause));
  }

  #later(follower: Follower): void {
    if (follower.stopped) return;
    this.dependencies.troubled();
    // While there is no connection the follower waits for the next one.
    if (!this.#reading.ready) this.#due.set(follower, "resumed");
    else setTimeout(() => follower.due("resumed"), RETRY_PAUSE_MS).unref();
  }

  #refused(follower: Follower, error: RedisCommandError): void {
    follower.reader.refused?.(error);
    // What one stream is refused, all are, as a rule.
    if (!this.#warnings.allows(error.command)) return;
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
      if (await this.#notifications.check(this.#reading.ask)) for (const room of this.#rooms) room.due("resumed");
    } catch {
      // The connection failed; the next one is checked.
    }
  }

  #probe(): void {
    const { readTimeoutMs } = this.dependencies.config;
    this.#reading.probe(readTimeoutMs);
    this.#announcements.probe(readTimeoutMs);
  }
}

/** ioredis attaches the command; its arguments stay where they are. */
function commandOf(error: unknown): string {
  const { command } = error as { readonly command?: { readonly name?: unknown } };
  return String(command?.name ?? "a read").toUpperCase();
}
