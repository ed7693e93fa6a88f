import type { RedisConfig } from "../config/types.js";
import type { DataError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import type { Write } from "./batch.js";
import type { RedisClient, SendOptions } from "./client.js";
import { countDown } from "./countDown.js";
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

interface PlacedWrite extends Write {
  readonly place: number;
  readonly one: Entry;
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

/** Resolves once `begin` has settled each of so many results, in any order. */
function gather<T>(count: number, begin: (settle: (place: number, result: T) => void) => void): Promise<T[]> {
  return new Promise((resolve) => {
    const results = new Array<T>(count);
    let open = count;
    if (open === 0) resolve(results);
    begin((place, result) => {
      results[place] = result;
      open -= 1;
      if (open === 0) resolve(results);
    });
  });
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
    const left = countDown(timeoutMs);
    const text = this.#freshText(key, entry, maxLength);
    const reply = this.client.send("XADD", [key], { kind: "write", timeoutMs, signal, text });
    return reply.then((id) =>
      id === null ? this.#appendAndRenew(key, entry, { ...options, ...left() }) : (id as string),
    );
  }

  /**
   * As `append` for each of many entries; those of one stream stay in their order. Resolves with each one's id, or with the error that
   * `append` would throw.
   */
  appendMany(entries: readonly Entry[], options: PushOptions = {}): Promise<(string | DataError)[]> {
    const { ttlMs } = this.retention(options);
    const left = countDown(options.timeoutMs);
    // For all the same moment: what goes to one stream must go the same way, to stay in order.
    const now = performance.now();
    return gather(entries.length, (settle) => {
      const renew = (place: number, { key, entry }: Entry) =>
        this.#appendAndRenew(key, entry, { ...options, ...left() }).then(
          (id) => settle(place, id),
          (error) => settle(place, error),
        );
      const fresh: PlacedWrite[] = [];
      for (const [place, one] of entries.entries()) {
        if (!this.#expiry.isFresh(one.key, ttlMs, now)) void renew(place, one);
        else fresh.push({ place, one, key: one.key, text: this.#freshText(one.key, one.entry, options.maxLength) });
      }
      this.client.sendMany("XADD", fresh, options, ({ place, one }, outcome) => {
        if ("error" in outcome) settle(place, outcome.error);
        else if (outcome.reply === null) void renew(place, one);
        else settle(place, outcome.reply as string);
      });
    });
  }

  /** A stream that is gone must not come back without its expiry: it would stay for ever. So it is left uncreated, which null tells. */
  #freshText(key: string, entry: Encoded, maxLength: number | undefined): string {
    return commandText("XADD", key, this.#optionsOf(maxLength).fresh, entry);
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
