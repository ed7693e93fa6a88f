import type { RedisConfig } from "../../config/types.js";
import { type DataError, InvalidInputError, PublishUnknownError } from "../../errors.js";
import { checkMeetingId } from "../../ids.js";
import type { Instruments } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Tracer } from "../../telemetry/telemetry.js";
import type { RedisClient } from "../client.js";
import { countDown } from "../countDown.js";
import { checkCallOptions } from "../input.js";
import { withSharedSignal } from "../sharedSignal.js";
import { type CallOptions, type PushOptions, StreamWriter } from "../streamWriter.js";
import { encodeSignal } from "./codec.js";
import { type EncodedSignal, IdempotentWriter } from "./idempotency.js";
import { keysOf, streamOf } from "./keys.js";
import { PublishMetrics } from "./publishMetrics.js";
import { newRequestId } from "./requestId.js";
import { parseSignal } from "./schemas.js";
import type { Signal } from "./types.js";

export interface PublishOptions extends PushOptions {
  /**
   * Whether a signal whose `requestId` was stored before, by an idempotent publish too, is not stored again. A lost reply is then no
   * matter: the signal is sent again until its deadline. Costs a script's run on the server. While a cluster moves the meeting's slot
   * and has moved some of the meeting's keys, or has none of them yet, it waits until the slot has moved. Default false.
   */
  readonly idempotent?: boolean;
}

export interface PublishedSignal {
  readonly entryId: string;
  readonly requestId: string;
  /** Of an idempotent publish: whether it was stored before; `entryId` is then the first one's. */
  readonly duplicate?: boolean;
}

/** What became of one signal of many. `not-stored` is certain and safe to publish again; of `unknown`, look for the request id first. */
export type PublishOutcome =
  | ({ readonly status: "stored" } & PublishedSignal)
  | NotStored
  | { readonly status: "unknown"; readonly error: PublishUnknownError; readonly requestId: string };

interface NotStored {
  readonly status: "not-stored";
  readonly error: DataError;
  readonly requestId?: string;
}

const MAX_SIGNALS = 10_000;
/** So many signals of one call are under way at once, so that other callers get their turn. */
const MAX_AT_ONCE = 1_000;

export class SignalPublisher {
  readonly #writer: StreamWriter;
  readonly #idempotent: IdempotentWriter;
  readonly #client: RedisClient;
  readonly #config: RedisConfig;
  /** Whose active span a signal's entry is to name. */
  readonly #tracer: Tracer | undefined;
  /** undefined: nobody measures. */
  readonly #metrics: PublishMetrics | undefined;

  constructor(client: RedisClient, config: RedisConfig, logger: Logger, instruments: Instruments) {
    this.#tracer = instruments.tracer;
    this.#metrics = instruments.measuring ? new PublishMetrics(instruments) : undefined;
    this.#client = client;
    this.#config = config;
    this.#writer = new StreamWriter(client, config, logger);
    this.#idempotent = new IdempotentWriter(client, this.#writer);
  }

  async publish(input: Signal, options: PublishOptions = {}): Promise<PublishedSignal> {
    const startedAt = this.#metrics ? performance.now() : 0;
    let published: PublishedSignal;
    try {
      checkPublishOptions(options);
      const signal = this.#prepare(input);
      if (options.idempotent) published = await this.#storeOnce(signal, options);
      else published = { entryId: await this.#append(signal, options), requestId: signal.requestId };
    } catch (error) {
      this.#metrics?.failed(input, error, startedAt);
      throw error;
    }
    this.#metrics?.stored(input, published, startedAt);
    return published;
  }

  async publishMany(inputs: readonly Signal[], options: PublishOptions = {}): Promise<PublishOutcome[]> {
    const startedAt = performance.now();
    if (!Array.isArray(inputs) || inputs.length > MAX_SIGNALS)
      throw new InvalidInputError("signals", `must be an array of at most ${MAX_SIGNALS}`);
    checkPublishOptions(options);
    this.#writer.retention(options);
    const outcomes = await withSharedSignal(options.signal, (signal) =>
      this.#publishAll(inputs, signal ? { ...options, signal } : options),
    );
    this.#metrics?.many(inputs, outcomes, startedAt);
    return outcomes;
  }

  async #publishAll(inputs: readonly Signal[], options: PublishOptions): Promise<PublishOutcome[]> {
    const left = countDown(options.timeoutMs);
    const atOnce = Math.min(MAX_AT_ONCE, this.#config.maxInFlight);
    const outcomes: PublishOutcome[] = [];
    for (let first = 0; first < inputs.length; first += atOnce) {
      const some = [...inputs.slice(first, first + atOnce)];
      const bounded = { ...options, ...left() };
      outcomes.push(...(await (options.idempotent ? this.#storeEachOnce(some, bounded) : this.#store(some, bounded))));
    }
    return outcomes;
  }

  async close(meetingId: string, options: CallOptions = {}): Promise<void> {
    checkCallOptions(options);
    const { timeoutMs, signal } = options;
    const keys = keysOf(checkMeetingId("meetingId", meetingId));
    // Key by key: some may be at another node while their slot moves.
    const unlink = (key: string) => this.#client.send("UNLINK", [key], { kind: "read", timeoutMs, signal });
    await Promise.all(keys.map(unlink));
    this.#writer.forget(streamOf(meetingId));
  }

  #prepare(input: Signal): EncodedSignal {
    const signal = parseSignal(input);
    const requestId = signal.requestId ?? newRequestId(signal.senderId);
    const entry = encodeSignal(signal, requestId, this.#config.maxPayloadBytes, this.#tracer?.traceparent());
    return { meetingId: signal.meetingId, requestId, entry };
  }

  #append({ meetingId, entry }: EncodedSignal, options: PublishOptions): Promise<string> {
    return this.#writer.append(streamOf(meetingId), entry, options);
  }

  async #storeOnce(signal: EncodedSignal, options: PublishOptions): Promise<PublishedSignal> {
    return { ...(await this.#idempotent.append(signal, options)), requestId: signal.requestId };
  }

  async #store(inputs: readonly Signal[], options: PublishOptions): Promise<PublishOutcome[]> {
    const prepared = inputs.map((input) => this.#prepareOrRefuse(input));
    const signals = prepared.filter((signal) => "entry" in signal);
    const entries = signals.map(({ meetingId, entry }) => ({ key: streamOf(meetingId), entry }));
    const results = (await this.#writer.appendMany(entries, options)).values();
    return prepared.map((signal) => {
      if (!("entry" in signal)) return signal;
      const { requestId } = signal;
      const result = results.next().value as string | DataError;
      return typeof result === "string" ? { status: "stored", entryId: result, requestId } : failure(result, requestId);
    });
  }

  #storeEachOnce(inputs: readonly Signal[], options: PublishOptions): Promise<PublishOutcome[]> {
    const storing = inputs.map(async (input): Promise<PublishOutcome> => {
      const signal = this.#prepareOrRefuse(input);
      if (!("entry" in signal)) return signal;
      const stored = this.#storeOnce(signal, options);
      return stored.then(
        (entry) => ({ status: "stored", ...entry }),
        (error) => failure(error, signal.requestId),
      );
    });
    return Promise.all(storing);
  }

  #prepareOrRefuse(input: Signal): EncodedSignal | NotStored {
    try {
      return this.#prepare(input);
    } catch (error) {
      return { status: "not-stored", error: error as DataError };
    }
  }
}

function failure(error: DataError, requestId: string): PublishOutcome {
  if (error instanceof PublishUnknownError) return { status: "unknown", error, requestId };
  return { status: "not-stored", error, requestId };
}

function checkPublishOptions(options: PublishOptions): void {
  checkCallOptions(options);
  const { idempotent } = options;
  if (idempotent !== undefined && typeof idempotent !== "boolean")
    throw new InvalidInputError("options.idempotent", "must be true or false");
}
