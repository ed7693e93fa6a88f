import type { RedisConfig } from "../config/types.js";
import type { Logger } from "../telemetry/logger.js";
import type { RedisClient, SendOptions } from "./client.js";
import { checkWhole } from "./input.js";
import { StreamExpiry } from "./streamExpiry.js";
import { commandText, type Encoded, encode } from "./wire.js";

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

const NOTHING = encode([]);
const NOT_CREATED = encode(["NOMKSTREAM"]);

function trimmed(maxLength: number): Encoded {
  return encode(["MAXLEN", "~", String(maxLength), "*"]);
}

/** Appends to streams so that each is trimmed and expires. */
export class StreamWriter {
  readonly #expiry: StreamExpiry;
  readonly #asConfigured: Encoded;

  constructor(
    private readonly client: RedisClient,
    private readonly config: RedisConfig,
    logger: Logger,
  ) {
    this.#asConfigured = trimmed(config.streamMaxLength);
    this.#expiry = new StreamExpiry(client, config, logger);
  }

  /** @throws InvalidInputError naming the option that is wrong */
  retention({ maxLength, ttlMs }: PushOptions): Retention {
    return {
      maxLength: maxLength === undefined ? this.config.streamMaxLength : checkWhole("options.maxLength", maxLength),
      ttlMs: ttlMs === undefined ? this.config.streamTtlMs : checkWhole("options.ttlMs", ttlMs),
    };
  }

  /**
   * Resolves with the id of the new entry; `entry` has its fields and values in turn. With `once`, XADD's words that make the server
   * store it only once, it is repeated like a read. Throws as `RedisRepository.pushToStream`.
   */
  async append(key: string, entry: Encoded, options: PushOptions = {}, once?: Encoded): Promise<string> {
    const { maxLength, ttlMs } = this.retention(options);
    const { timeoutMs, signal } = options;
    const kind = once ? "idempotent" : "write";
    const rest = [once ?? NOTHING, this.#trimmed(maxLength), entry];
    if (!this.#expiry.isFresh(key, ttlMs)) return this.#renew(key, ttlMs, rest, { kind, timeoutMs, signal });
    const deadline = timeoutMs && performance.now() + timeoutMs;
    // A stream that is there keeps its expiry. One that is gone must not come back without, so it is left uncreated here.
    const text = commandText("XADD", encode([key]), NOT_CREATED, ...rest);
    const id = await this.client.send("XADD", [key], { kind, timeoutMs, signal, text });
    if (id !== null) return id as string;
    this.#expiry.forget(key);
    const left = deadline && Math.max(1, deadline - performance.now());
    return this.#renew(key, ttlMs, rest, { kind, timeoutMs: left, signal });
  }

  /** For when the stream has been removed. */
  forget(key: string): void {
    this.#expiry.forget(key);
  }

  #trimmed(maxLength: number): Encoded {
    return maxLength === this.config.streamMaxLength ? this.#asConfigured : trimmed(maxLength);
  }

  async #renew(key: string, ttlMs: number, rest: readonly Encoded[], sending: SendOptions): Promise<string> {
    const text = commandText("XADD", encode([key]), ...rest);
    const id = await this.#expiry.renew(key, ttlMs, (follower) =>
      this.client.send("XADD", [key], { ...sending, text, follower }),
    );
    return id as string;
  }
}
