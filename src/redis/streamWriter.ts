import type { RedisConfig } from "../config/types.js";
import type { DataError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import type { Write } from "./batch.js";
import type { RedisClient, SendOptions } from "./client.js";
import { checkWhole } from "./input.js";
import { StreamExpiry } from "./streamExpiry.js";
import { commandText, type Encoded, encode, join } from "./wire.js";

export interface CallOptions {
  /** Bounds the whole call, in milliseconds. By default the pool timeout before sending and the read or write timeout after it. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface PushOptions extends CallOptions {
  /** The stream is trimmed to about this many entries. Default `REDIS_STREAM_MAX_LENGTH`. */
  readonly maxLength?: number;
  /**
   * The stream expires when nothing was pushed for this long, in milliseconds; up to a twentieth of it, and at most a minute, earlier.
   * Default `REDIS_CLUSTER_TTL_IN_HOURS`.
   */
  readonly ttlMs?: number;
}

/** How long a stream is kept, and how long it may get. */
export interface Retention {
  readonly maxLength: number;
  readonly ttlMs: number;
}

/** A stream's key and the fields and values of an entry in turn. */
export interface Entry {
  readonly key: string;
  readonly entry: Encoded;
}

/** What stands between XADD's key and the entry. */
interface XaddOptions {
  readonly fresh: Encoded;
  readonly renewing: Encoded;
}

function xaddOptions(maxLength: number): XaddOptions {
  const renewing = encode(["MAXLEN", "~", String(maxLength), "*"]);
  return { fresh: join(encode(["NOMKSTREAM"]), renewing), renewing };
}

/** Appends to streams so that each is trimmed and expires. */
export class StreamWriter {
  readonly #expiry: StreamExpiry;
  readonly #asConfigured: XaddOptions;

  constructor(
    private readonly client: RedisClient,
    private readonly config: RedisConfig,
    logger: Logger,
  ) {
    this.#asConfigured = xaddOptions(config.streamMaxLength);
    this.#expiry = new StreamExpiry(client, config, logger);
  }

  /** @throws InvalidInputError naming the option that is wrong */
  retention({ maxLength, ttlMs }: PushOptions): Retention {
    return {
      maxLength: maxLength === undefined ? this.config.streamMaxLength : checkWhole("options.maxLength", maxLength),
      ttlMs: ttlMs === undefined ? this.config.streamTtlMs : checkWhole("options.ttlMs", ttlMs),
    };
  }

  /** Resolves with the id of the new entry; `entry` has its fields and values in turn. Throws as `RedisRepository.pushToStream`. */
  append(key: string, entry: Encoded, options: PushOptions = {}): Promise<string> {
    const { ttlMs } = this.retention(options);
    if (!this.#expiry.isFresh(key, ttlMs)) return this.#appendAndRenew(key, entry, options);
    const { timeoutMs, signal, maxLength } = options;
    const deadline = timeoutMs && performance.now() + timeoutMs;
    // A stream that is gone must not come back without its expiry: it would stay for ever. So it is left uncreated here.
    const text = commandText("XADD", key, this.#optionsOf(maxLength).fresh, entry);
    const reply = this.client.send("XADD", [key], { kind: "write", timeoutMs, signal, text });
    return reply.then((id) => {
      if (id !== null) return id as string;
      const left = deadline && { timeoutMs: Math.max(1, deadline - performance.now()) };
      return this.#appendAndRenew(key, entry, { ...options, ...left });
    });
  }

  /**
   * As `append` for each of many entries; those of one stream are appended in their order. Resolves with each one's id, or the error
   * that `append` would throw.
   */
  appendMany(entries: readonly Entry[], options: PushOptions = {}): Promise<(string | DataError)[]> {
    const { ttlMs } = this.retention(options);
    const { timeoutMs, signal, maxLength } = options;
    const now = performance.now();
    const { fresh } = this.#optionsOf(maxLength);
    return new Promise((resolve) => {
      const results: (string | DataError)[] = new Array(entries.length);
      let open = entries.length;
      if (open === 0) resolve(results);
      const settle = (place: number, result: string | DataError) => {
        results[place] = result;
        open -= 1;
        if (open === 0) resolve(results);
      };
      const renew = (place: number) => {
        const { key, entry } = entries[place] as Entry;
        const left = timeoutMs && { timeoutMs: Math.max(1, now + timeoutMs - performance.now()) };
        this.#appendAndRenew(key, entry, { ...options, ...left }).then(
          (id) => settle(place, id),
          (error) => settle(place, error),
        );
      };
      const writes: Write[] = [];
      const places: number[] = [];
      for (const [place, { key, entry }] of entries.entries()) {
        // At the same moment for all: those of one stream must go the same way to stay in order.
        if (!this.#expiry.isFresh(key, ttlMs, now)) renew(place);
        else {
          places.push(place);
          writes.push({ key, text: commandText("XADD", key, fresh, entry) });
        }
      }
      this.client.sendMany("XADD", writes, {
        timeoutMs,
        signal,
        settled: (index, outcome) => {
          const place = places[index] as number;
          if ("error" in outcome) settle(place, outcome.error);
          else if (outcome.reply === null) renew(place);
          else settle(place, outcome.reply as string);
        },
      });
    });
  }

  /** Creates the stream where there is none, and gives it its expiry. */
  async #appendAndRenew(key: string, entry: Encoded, options: PushOptions): Promise<string> {
    const { ttlMs } = this.retention(options);
    const { timeoutMs, signal, maxLength } = options;
    const text = commandText("XADD", key, this.#optionsOf(maxLength).renewing, entry);
    const sending: SendOptions = { kind: "write", timeoutMs, signal, text };
    const id = await this.#expiry.renew(key, ttlMs, (follower) =>
      this.client.send("XADD", [key], { ...sending, follower }),
    );
    return id as string;
  }

  /** For when the stream has been removed. */
  forget(key: string): void {
    this.#expiry.forget(key);
  }

  #optionsOf(maxLength: number | undefined): XaddOptions {
    return maxLength === undefined ? this.#asConfigured : xaddOptions(maxLength);
  }
}
