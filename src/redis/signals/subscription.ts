import { AsyncLocalStorage } from "node:async_hooks";
import type { RedisConfig } from "../../config/types.js";
import { ClientNilError, InvalidInputError, OperationAbortedError } from "../../errors.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Following } from "../following/following.js";
import type { Deliveries } from "./deliveries.js";
import type { SubscriptionEvent } from "./events.js";
import { FollowedRooms } from "./followedRooms.js";
import { RoomReader } from "./roomReader.js";
import { checkFrom, checkMeetingIds, checkSubscribeOptions, type From } from "./subscribeInput.js";

export interface SubscribeOptions {
  /** Where to begin, for all meetings or by meeting. Default `now`. */
  readonly from?: From | Readonly<Record<string, From>>;
  /** Only signals to everyone and to this participant; unrecognised entries come in any case. */
  readonly recipientId?: string;
  /** Drops signals whose requestId was among the last `dedupeWindow` of their meeting. Default false. */
  readonly dedupe?: boolean;
  /** 1 to 100,000 request ids for each meeting. Default 256. */
  readonly dedupeWindow?: number;
  /** Most events of a meeting that wait to be taken, 1 to 10,000; the others stay in Redis meanwhile. Default 100. */
  readonly bufferSize?: number;
  /** Limit on `subscribe` and on each `add`, in milliseconds. Default the pool timeout. */
  readonly timeoutMs?: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
  /**
   * Gets the events instead of an iterator: of one meeting one after the other, each when the promise returned for the one before has
   * settled; of several meetings side by side. What it throws or rejects with is logged, and the next event follows.
   */
  readonly handler?: (event: SubscriptionEvent) => unknown;
}

/** Some meetings' signals as they are published. */
export interface SignalSubscription {
  /** The meetings that are followed now. */
  readonly meetingIds: readonly string[];
  /**
   * Follows more meetings; one that is followed already goes on as it does. Resolves when nothing published later can be missed.
   * @throws as `subscribe`; none of them is followed then
   */
  add(meetingIds: string | readonly string[], from?: SubscribeOptions["from"]): Promise<void>;
  /** Ends following them; what was not taken is dropped. */
  remove(meetingIds: string | readonly string[]): void;
  /** Ends it: iteration is done, the handler is not called again. Idempotent. */
  close(): Promise<void>;
}

/** Its events, for one `for await`; leaving the loop closes the subscription. Meetings take turns. */
export interface SignalIterator extends SignalSubscription, AsyncIterableIterator<SubscriptionEvent> {}

const DEFAULT_DEDUPE_WINDOW = 256;
const DEFAULT_BUFFER_SIZE = 100;

export interface SubscriptionDependencies {
  readonly following: Following;
  readonly config: Pick<RedisConfig, "poolTimeoutMs">;
  readonly logger: Logger;
  readonly deliveries: Deliveries;
}

/** Opens a subscription to `meetingIds`. @see Signals.subscribe */
export async function subscribe(
  dependencies: SubscriptionDependencies,
  meetingIds: string | readonly string[],
  options: SubscribeOptions,
): Promise<SignalIterator> {
  checkSubscribeOptions(options);
  if (options.signal?.aborted) throw new OperationAbortedError("subscribe was aborted before it began");
  const subscription = new OpenSubscription(dependencies, options);
  try {
    await subscription.add(meetingIds, options.from);
    return subscription;
  } catch (error) {
    await subscription.close();
    throw error;
  }
}

class OpenSubscription implements SignalIterator {
  readonly #rooms: FollowedRooms<RoomReader>;
  /** Rooms with events to take, in turn. */
  readonly #ready = new Set<RoomReader>();
  readonly #takers: ((result: IteratorResult<SubscriptionEvent, undefined>) => void)[] = [];
  /** Rooms whose events are being handled. */
  readonly #handling = new Set<RoomReader>();
  readonly #forget: () => void;
  readonly #inSubscribersContext = AsyncLocalStorage.snapshot();
  #closed = false;

  constructor(
    private readonly dependencies: SubscriptionDependencies,
    private readonly options: SubscribeOptions,
  ) {
    this.#rooms = new FollowedRooms(dependencies.following);
    const onAbort = () => void this.close();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const stopListening = dependencies.following.onClose(onAbort);
    this.#forget = () => {
      stopListening();
      options.signal?.removeEventListener("abort", onAbort);
    };
  }

  get meetingIds(): readonly string[] {
    return this.#rooms.meetingIds;
  }

  async add(meetingIds: string | readonly string[], from?: SubscribeOptions["from"]): Promise<void> {
    if (this.#closed) throw new ClientNilError("signals subscription", "closed");
    const { signal, timeoutMs = this.dependencies.config.poolTimeoutMs } = this.options;
    const wanted = checkMeetingIds(meetingIds);
    const origins = checkFrom(this.#rooms.missing(wanted), from);
    const readers = [...origins].map(([meetingId, origin]) => this.#readerOf(meetingId, origin));
    await this.#rooms.add(wanted, readers, { timeoutMs, signal });
  }

  remove(meetingIds: string | readonly string[]): void {
    this.#rooms.remove(checkMeetingIds(meetingIds));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#rooms.remove(this.#rooms.meetingIds);
    for (const taker of this.#takers.splice(0)) taker({ done: true, value: undefined });
  }

  async next(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    if (this.options.handler)
      throw new InvalidInputError("options.handler", "gets the events; leave it out to iterate over them");
    const event = this.#take();
    if (event) return { done: false, value: event };
    if (this.#closed) return { done: true, value: undefined };
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  async return(): Promise<IteratorResult<SubscriptionEvent, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #readerOf(meetingId: string, from: string): RoomReader {
    const { recipientId, dedupe, dedupeWindow, bufferSize } = this.options;
    return new RoomReader({
      meetingId,
      from,
      recipientId,
      dedupeWindow: dedupe ? (dedupeWindow ?? DEFAULT_DEDUPE_WINDOW) : 0,
      bufferSize: bufferSize ?? DEFAULT_BUFFER_SIZE,
      onEvents: (room) => this.#onEvents(room),
      onRoom: (room) => this.#rooms.due(room),
    });
  }

  #onEvents(room: RoomReader): void {
    const { handler } = this.options;
    if (handler) {
      if (!this.#handling.has(room)) void this.#inSubscribersContext(() => this.#handle(room, handler));
      return;
    }
    this.#ready.add(room);
    while (this.#takers.length > 0) {
      const event = this.#take();
      if (!event) return;
      this.#takers.shift()?.({ done: false, value: event });
    }
  }

  #take(): SubscriptionEvent | undefined {
    for (const room of this.#ready) {
      this.#ready.delete(room);
      const event = this.#takeOf(room);
      if (room.pending > 0) this.#ready.add(room);
      if (event) return event;
    }
    return undefined;
  }

  #takeOf(room: RoomReader): SubscriptionEvent | undefined {
    const event = room.take();
    if (event) this.dependencies.deliveries.given(event);
    return event;
  }

  async #handle(room: RoomReader, handler: (event: SubscriptionEvent) => unknown): Promise<void> {
    this.#handling.add(room);
    const { deliveries } = this.dependencies;
    for (let event = this.#takeOf(room); event; event = this.#takeOf(room)) {
      try {
        await deliveries.handle(event, handler);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        const { meetingId } = event;
        this.dependencies.logger.error({ event: "signals.handler", meetingId }, `A signal handler failed: ${text}`);
      }
    }
    this.#handling.delete(room);
  }
}
