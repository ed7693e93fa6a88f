import type { RedisConfig } from "../../config/types.js";
import { ClientNilError } from "../../errors.js";
import type { Logger } from "../../telemetry/logger.js";
import { outsideOfCallers } from "../../telemetry/outsideOfCallers.js";
import type { DriverFactory } from "../connection.js";
import type { CommandMetrics } from "../telemetry/commandMetrics.js";
import { FollowedNode } from "./node.js";
import type { Redirection } from "./redirection.js";
import { type Backlog, Follower, type ReaderProgress, Room, type StreamReader } from "./room.js";
import type { Topology } from "./topology.js";

/** How often a part of the streams is swept, in milliseconds; the parts together make the configured interval. */
const SWEEP_TICK_MS = 20;
/** As often as the slot table is read. */
const REDIRECTION_HOLDS_MS = 2_000;

/**
 * Tells readers when there may be something new in their streams, on two connections to each node that owns one, however many
 * streams there are: keyspace notifications announce entries, and a slow sweep over all streams finds what was not announced.
 */
export class Following {
  readonly #rooms = new Map<string, Room>();
  readonly #nodes = new Map<string, FollowedNode>();
  readonly #closers = new Set<() => unknown>();
  #sweeping: NodeJS.Timeout | undefined;
  #sweep: Iterator<Room> | undefined;
  #owed = 0;
  #sweptAt = 0;
  #stopListening: (() => void) | undefined;
  #closed = false;

  constructor(
    private readonly topology: Topology,
    private readonly factory: DriverFactory,
    private readonly config: RedisConfig,
    private readonly logger: Logger,
    private readonly metrics?: CommandMetrics,
  ) {}

  /**
   * Has `reader` called whenever there may be something to read, and once when the server has confirmed that it announces new
   * entries of the stream (`Follower.confirmed`). Goes on until `unfollow` or `close`, whatever happens to servers.
   * @throws ClientNilError after `close()`
   */
  follow(reader: StreamReader): Follower {
    if (this.#closed) throw new ClientNilError("redis", "stopped");
    return outsideOfCallers(() => this.#follow(reader));
  }

  #follow(reader: StreamReader): Follower {
    this.#begin();
    const room = this.#roomOf(reader.stream);
    const follower = new Follower(room, reader);
    room.followers.add(follower);
    if (room.subscribed) follower.due("resumed");
    return follower;
  }

  unfollow(follower: Follower): void {
    const { room } = follower;
    follower.stopped = true;
    room.node?.forget(follower);
    if (!room.followers.delete(follower) || room.followers.size > 0) return;
    this.#rooms.delete(room.stream);
    this.#leave(room);
  }

  /** How far each subscriber of the stream is. */
  progressOf(stream: string): ReaderProgress[] {
    return [...(this.#rooms.get(stream)?.followers ?? [])].flatMap(({ reader }) => reader.progress?.() ?? []);
  }

  /** How many streams are followed. */
  get roomCount(): number {
    return this.#rooms.size;
  }

  /** What all readers together have read and not got rid of. */
  backlog(): Backlog {
    let waiting = 0;
    let pending = 0;
    let oldest: number | undefined;
    for (const { followers } of this.#rooms.values())
      for (const { reader } of followers) {
        const own = reader.backlog?.();
        if (!own) continue;
        waiting += own.waiting;
        pending += own.pending;
        if (own.oldest !== undefined && !(own.oldest > (oldest ?? own.oldest))) oldest = own.oldest;
      }
    return { waiting, pending, oldest };
  }

  /** Calls `closer` when following ends, until the function returned is called. What it resolves with says that it has. */
  onClose(closer: () => unknown): () => void {
    this.#closers.add(closer);
    return () => this.#closers.delete(closer);
  }

  /** Ends it at once; resolves when handlers that run have finished, as far as their subscribers wait for them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening?.();
    clearInterval(this.#sweeping);
    const closing = [...this.#closers].map((closer) => closer());
    for (const node of this.#nodes.values()) node.close();
    this.#nodes.clear();
    this.#rooms.clear();
    await Promise.all(closing);
  }

  #roomOf(stream: string): Room {
    const known = this.#rooms.get(stream);
    if (known) return known;
    const room = new Room(stream, this.topology.slotOf(stream));
    this.#rooms.set(stream, room);
    this.#place(room);
    return room;
  }

  #begin(): void {
    if (this.#sweeping) return;
    this.#sweptAt = performance.now();
    this.#sweeping = setInterval(() => this.#sweepSome(), SWEEP_TICK_MS).unref();
    this.#stopListening = this.topology.onChange(() => {
      for (const room of this.#rooms.values()) this.#place(room);
    });
  }

  /** Puts a room where the slot table says it is. */
  #place(room: Room): void {
    const owner = this.topology.ownerOf(room.slot);
    // Half-way: the table names the old owner until the slot has moved for good.
    if (owner === undefined || owner === room.movingFrom || performance.now() < room.redirectedUntil) return;
    room.movingFrom = undefined;
    this.#move(room, owner);
  }

  #redirect(room: Room, { address, asking }: Redirection): void {
    room.movingFrom = asking ? room.node?.address : undefined;
    room.redirectedUntil = performance.now() + REDIRECTION_HOLDS_MS;
    this.#move(room, address);
    this.topology.refresh();
  }

  #move(room: Room, address: string): void {
    if (room.node?.address === address) return;
    const node = this.#nodes.get(address) ?? this.#open(address);
    this.#leave(room);
    node.add(room);
  }

  #leave(room: Room): void {
    const { node } = room;
    node?.remove(room);
    if (!node || node.roomCount > 0) return;
    this.#nodes.delete(node.address);
    node.close();
  }

  #open(address: string): FollowedNode {
    const node = new FollowedNode(address, {
      factory: this.factory,
      config: this.config,
      logger: this.logger,
      metrics: this.metrics,
      redirected: (room, redirection) => this.#redirect(room, redirection),
      troubled: () => this.topology.refresh(),
    });
    this.#nodes.set(address, node);
    return node;
  }

  /** A part of the streams at each tick: all at once would be a burst. By the clock, since a busy process misses ticks. */
  #sweepSome(): void {
    const now = performance.now();
    const { size } = this.#rooms;
    this.#owed = Math.min(this.#owed + (size * (now - this.#sweptAt)) / this.config.followSweepMs, size);
    this.#sweptAt = now;
    for (; this.#owed >= 1; this.#owed -= 1) {
      const room = this.#nextToSweep();
      if (room?.node) room.node.sweep(room);
      else if (room) this.#place(room);
    }
  }

  /** Round and round; undefined only when there is none. */
  #nextToSweep(): Room | undefined {
    const next = this.#sweep?.next();
    if (next && !next.done) return next.value;
    this.#sweep = this.#rooms.values();
    return this.#sweep.next().value;
  }
}
