import type { RedisConfig } from "../../config/types.js";
import { checkMeetingId } from "../../ids.js";
import type { Logger } from "../../telemetry/logger.js";
import type { RedisClient } from "../client.js";
import type { ReadOptions, RedisRepository } from "../repository.js";
import { type PushOptions, StreamWriter } from "../streamWriter.js";
import { decodeSignal, encodeSignal } from "./codec.js";
import { streamOf } from "./keys.js";
import { newRequestId } from "./requestId.js";
import { parseSignal } from "./schemas.js";
import { type SignalIterator, type SignalSubscription, type SubscribeOptions, subscribe } from "./subscription.js";
import type { DecodedEntry, Signal } from "./types.js";

export interface PublishedSignal {
  readonly entryId: string;
  readonly requestId: string;
}

/** The signals of meetings, on `room-stream:<meetingId>`. */
export interface Signals {
  /**
   * Validates a signal and appends it to its meeting's stream. Never sent twice: after a `PublishUnknownError` look for the
   * `requestId` with `read` before you publish again; pass your own where you want to.
   * @throws InvalidInputError naming what is wrong; otherwise as `RedisRepository.pushToStream`
   */
  publish(signal: Signal, options?: PushOptions): Promise<PublishedSignal>;
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
}

type HandledOptions = SubscribeOptions & Required<Pick<SubscribeOptions, "handler">>;

/** What signals travel by. */
export interface SignalStores {
  readonly client: RedisClient;
  readonly redis: RedisRepository;
  readonly config: RedisConfig;
  readonly logger: Logger;
}

export function createSignals({ client, redis, config, logger }: SignalStores): Signals {
  const writer = new StreamWriter(client, config, logger);
  return {
    async publish(input, options) {
      const signal = parseSignal(input);
      const requestId = signal.requestId ?? newRequestId(signal.senderId);
      const entry = encodeSignal(signal, requestId, config.maxPayloadBytes);
      const entryId = await writer.append(streamOf(signal.meetingId), entry, options);
      return { entryId, requestId };
    },
    async read(meetingId, options) {
      const entries = await redis.readStream(streamOf(checkMeetingId("meetingId", meetingId)), options);
      return entries.map(decodeSignal);
    },
    subscribe: (meetingIds: string | readonly string[], options: SubscribeOptions = {}) =>
      subscribe({ following: client.following, config, logger }, meetingIds, options),
  };
}
