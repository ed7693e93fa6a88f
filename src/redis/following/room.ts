import type { FollowedNode } from "./node.js";

/** Sends one command to the node that owns the stream, and resolves with its reply. */
export type Ask = (command: string, args: readonly (string | number)[]) => Promise<unknown>;

/**
 * Why a stream is read. `announced`: the server said that an entry was added. `sweep`: nothing was said, and the read is to show
 * that nothing was missed. `resumed`: announcements may have been missed (a new connection, another node, a failed read, a sweep
 * on a server that announces nothing), or there is more to read.
 */
export type Occasion = "sweep" | "announced" | "resumed";

const WEIGHT: Record<Occasion, number> = { sweep: 0, announced: 1, resumed: 2 };

/** The occasion that asks for more. */
export function strongerOf(one: Occasion, other: Occasion | undefined): Occasion {
  return other && WEIGHT[other] > WEIGHT[one] ? other : one;
}

/** Whoever reads a stream: a subscription's cursor, a consumer group's. */
export interface StreamReader {
  readonly stream: string;
  /**
   * Reads on. Never called again before the promise has settled. Resolves with true when there may be more: after a `sweep` that
   * means an entry nobody announced, and otherwise that another read should follow at once. When it rejects with what `ask`
   * rejected with, it is called again once the node can answer.
   */
  read(ask: Ask, occasion: Occasion): Promise<boolean>;
  /** The server refused the last command for good; the stream is tried again with the next sweep or announcement. */
  refused?(error: Error): void;
  /** How far a subscriber is; undefined while it is not known. */
  progress?(): ReaderProgress | undefined;
  /** Undefined when nothing is left to do. */
  backlog?(): Backlog | undefined;
}

/** What was read and is not done with. */
export interface Backlog {
  /** Entries that wait for a subscriber. */
  readonly waiting: number;
  /** Entries that the group has given to a consumer and that are not acknowledged, as far as the consumer knows. */
  readonly pending: number;
  /** When the oldest of them was added, in Unix milliseconds by the server's clock. */
  readonly oldest: number | undefined;
}

export interface ReaderProgress {
  /** The last entry that was read. */
  readonly cursor: string;
  /** Entries that were read and wait to be taken, and the id of the first of them. */
  readonly waiting: number;
  readonly firstWaiting: string | undefined;
}

/** One reader of one stream. */
export class Follower {
  reading = false;
  /** Fell due while it was being read. */
  again: Occasion | undefined;
  stopped = false;

  constructor(
    readonly room: Room,
    readonly reader: StreamReader,
  ) {}

  /** Resolves once the server announces the stream's new entries; rejects with RedisCommandError when it refuses to. */
  confirmed(): Promise<void> {
    return this.room.whenSubscribed();
  }

  /** There may be something to read, for instance since the reader has room again. */
  due(occasion: Occasion): void {
    if (!this.stopped) this.room.node?.due(this, occasion);
  }
}

/** A followed stream: its place in the cluster, and who reads it. */
export class Room {
  readonly followers = new Set<Follower>();
  node: FollowedNode | undefined;
  /** The slot is on its way to `node`, away from the node with this address: reads need ASKING. */
  movingFrom: string | undefined;
  /** Until then the server that sent the room to its node is believed more than the slot table, which may be a little old. */
  redirectedUntil = 0;
  /** Whether the server has confirmed that it will announce the stream's entries. */
  subscribed = false;
  /** Whether SUBSCRIBE is under way. */
  subscribing = false;
  readonly #waiters = new Set<(error?: Error) => void>();

  constructor(
    readonly stream: string,
    readonly slot: number,
  ) {}

  due(occasion: Occasion): void {
    for (const follower of this.followers) follower.due(occasion);
  }

  confirmed(): void {
    this.subscribed = true;
    this.subscribing = false;
    this.#settle();
    this.due("resumed");
  }

  refused(error: Error): void {
    this.subscribing = false;
    this.#settle(error);
  }

  whenSubscribed(): Promise<void> {
    if (this.subscribed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.add((error) => (error ? reject(error) : resolve()));
    });
  }

  #settle(error?: Error): void {
    for (const waiter of this.#waiters) waiter(error);
    this.#waiters.clear();
  }
}
