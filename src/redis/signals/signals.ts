import type { RedisConfig } from "../../config/types.js";
import { checkId, checkMeetingId } from "../../ids.js";
import { type Instruments, NO_INSTRUMENTS } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import type { RedisClient } from "../client.js";
import type { ReadOptions, RedisRepository } from "../repository.js";
import type { CallOptions } from "../streamWriter.js";
import { aboutMeeting, type TracedMethod, traced } from "../telemetry/traced.js";
import { decodeSignal } from "./codec.js";
import { Deliveries } from "./deliveries.js";
import type { ConsumeOptions } from "./groups/consumeInput.js";
import { consume, type SignalConsumption } from "./groups/consumption.js";
import { type DeadLetter, readDeadLetters } from "./groups/deadLetters.js";
import { streamOf } from "./keys.js";
import { measureLag, readCursor, type SignalLag } from "./lag.js";
import { type PublishedSignal, type PublishOptions, type PublishOutcome, SignalPublisher } from "./publisher.js";
import { type SignalIterator, type SignalSubscription, type SubscribeOptions, subscribe } from "./subscription.js";
import type { DecodedEntry, Signal } from "./types.js";

export type { PublishedSignal, PublishOptions, PublishOutcome } from "./publisher.js";

/** The signals of meetings, on `room-stream:<meetingId>`. */
export interface Signals {
  /**
   * Validates a signal and appends it to its meeting's stream. Never sent twice, unless `idempotent`: after a `PublishUnknownError` look
   * for the `requestId` with `read` before you publish again; pass your own where you want to.
   * @throws InvalidInputError naming what is wrong; otherwise as `RedisRepository.pushToStream`
   */
  publish(signal: Signal, options?: PublishOptions): Promise<PublishedSignal>;
  /**
   * Publishes up to 10,000 signals, pipelined to each node, and resolves with what became of each, in the order given: one that is wrong
   * or fails does not keep the others from being stored. Of one meeting they are stored in order, but for those that had to be sent
   * again. `timeoutMs` bounds the whole call.
   * @throws InvalidInputError only when `signals` is no such array or an option is wrong; nothing was sent
   */
  publishMany(signals: readonly Signal[], options?: PublishOptions): Promise<PublishOutcome[]>;
  /**
   * Removes a meeting's stream, and all that was kept beside it, at once; without a stream it has no effect.
   * @throws DeadlineExceededError, BackpressureError, OperationAbortedError, RedisCommandError, InvalidInputError, ClientNilError
   */
  close(meetingId: string, options?: CallOptions): Promise<void>;
  /** Signals in order, entries that are none included as `unrecognised`; empty when the meeting has no stream. */
  read(meetingId: string, options?: ReadOptions): Promise<DecodedEntry[]>;
  /**
   * Follows meetings: entries in stream order for each meeting, each at least once, whatever happens to servers meanwhile; a `resync`
   * event where entries are gone. Iterate over what it resolves with, or pass a `handler`. Resolves when nothing published later can
   * be missed. Ends with `close()`, with `options.signal`, and with the container. All subscriptions share two connections a node.
   * @throws DeadlineExceededError, OperationAbortedError, RedisCommandError, InvalidInputError, ClientNilError; nothing is left open
   */
  subscribe(meetingIds: string | readonly string[], options: HandledOptions): Promise<SignalSubscription>;
  subscribe(meetingIds: string | readonly string[], options?: SubscribeOptions): Promise<SignalIterator>;
  /**
   * Handles meetings' signals as one consumer of a group: each entry goes to one of the group's consumers, in whichever process, and is
   * acknowledged when the handler has succeeded. What a consumer that died has left goes to another after `minIdleMs` and a sweep;
   * what fails `maxDeliveries` times is a dead letter (while a cluster moves the meeting's slot, perhaps only when that is done, and
   * its other entries wait). Each entry at least once: a handler must bear the same entry again, as after a failover. Resolves when
   * nothing published later can be missed. Ends with `close()`, with `options.signal` and with the container.
   * @throws DeadlineExceededError, OperationAbortedError, RedisCommandError, InvalidInputError, ClientNilError; nothing is left open
   */
  consume(options: ConsumeOptions): Promise<SignalConsumption>;
  /** What a group has given up, oldest first: at most about 1,000 entries of a meeting, until `REDIS_CLUSTER_TTL_IN_HOURS` after the last. */
  deadLetters(meetingId: string, group: string, options?: ReadOptions): Promise<DeadLetter[]>;
  /**
   * How far this process's subscriptions, and all consumer groups, are behind a meeting's stream.
   * @throws as `close`
   */
  lag(meetingId: string, options?: CallOptions): Promise<SignalLag>;
  /**
   * The id of the last entry a meeting's stream was given, `0-0` before the first: `subscribe` from it delivers what comes after.
   * @throws as `close`
   */
  cursor(meetingId: string, options?: CallOptions): Promise<string>;
}

type HandledOptions = SubscribeOptions & Required<Pick<SubscribeOptions, "handler">>;

/** What signals travel by. */
export interface SignalStores {
  readonly client: RedisClient;
  readonly redis: RedisRepository;
  readonly config: RedisConfig;
  readonly logger: Logger;
  /** Default: nothing is measured. */
  readonly instruments?: Instruments;
}

const aboutOne = (meetingId: unknown) => aboutMeeting(meetingId);
const aboutMany = (meetingIds: unknown) => (Array.isArray(meetingIds) ? {} : aboutMeeting(meetingIds));
const SEND = { "messaging.system": "redis", "messaging.operation.type": "send" };

/** What becomes a span. Of consumers and subscribers also each run of a handler does. */
const METHODS: Readonly<Record<keyof Signals, TracedMethod>> = {
  publish: {
    command: "XADD",
    kind: "producer",
    describe: (signal) => ({ ...SEND, ...aboutMeeting((signal as Signal | null | undefined)?.meetingId) }),
  },
  publishMany: {
    command: "XADD",
    kind: "producer",
    describe: (signals) => ({ ...SEND, "messaging.batch.message_count": Array.isArray(signals) ? signals.length : 0 }),
  },
  close: { command: "UNLINK", describe: aboutOne },
  read: { command: "XRANGE", describe: aboutOne },
  subscribe: { command: "SUBSCRIBE", describe: aboutMany },
  consume: {
    command: "XREADGROUP",
    describe: (options) => aboutMany((options as ConsumeOptions | null | undefined)?.meetingIds),
  },
  deadLetters: { command: "XRANGE", describe: aboutOne },
  lag: { command: "XINFO", describe: aboutOne },
  cursor: { command: "XINFO", describe: aboutOne },
};

export function createSignals(stores: SignalStores): Signals {
  const { config, instruments = NO_INSTRUMENTS } = stores;
  return traced(untraced(stores, instruments), "signals", METHODS, { tracer: instruments.tracer, config });
}

function untraced({ client, redis, config, logger }: SignalStores, instruments: Instruments): Signals {
  const publisher = new SignalPublisher(client, config, logger, instruments);
  const deliveries = new Deliveries(instruments, config);
  return {
    publish: (signal, options) => publisher.publish(signal, options),
    publishMany: (signals, options) => publisher.publishMany(signals, options),
    close: (meetingId, options) => publisher.close(meetingId, options),
    async read(meetingId, options) {
      const entries = await redis.readStream(streamOf(checkMeetingId("meetingId", meetingId)), options);
      return entries.map(decodeSignal);
    },
    subscribe: (meetingIds: string | readonly string[], options: SubscribeOptions = {}) =>
      subscribe({ following: client.following, config, logger, deliveries }, meetingIds, options),
    consume: (options) => consume({ following: client.following, client, config, logger, deliveries }, options),
    deadLetters: async (meetingId, group, options) =>
      readDeadLetters(redis, checkMeetingId("meetingId", meetingId), checkId("group", group), options),
    lag: async (meetingId, options) => measureLag(client, checkMeetingId("meetingId", meetingId), options),
    cursor: async (meetingId, options) => readCursor(client, checkMeetingId("meetingId", meetingId), options),
  };
}
