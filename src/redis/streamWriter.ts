import type { RedisConfig } from "../config/types.js";
import type { Logger } from "../telemetry/logger.js";
import type { RedisClient, SendOptions } from "./client.js";
import { checkWhole } from "./input.js";
import { StreamExpiry } from "./streamExpiry.js";

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

/** Appends to streams so that each is trimmed and expires. */
export class StreamWriter {
  readonly #expiry: StreamExpiry;

  constructor(
    private readonly client: RedisClient,
    private readonly config: RedisConfig,
    logger: Logger,
  ) {
    this.#expiry = new StreamExpiry(client, config, logger);
  }

  /** @throws InvalidInputError naming the option that is wrong */
  retention({ maxLength, ttlMs }: PushOptions): Retention {
    return {
      maxLength: maxLength === undefined ? this.config.streamMaxLength : checkWhole("options.maxLength", maxLength),
      ttlMs: ttlMs === undefined ? this.config.streamTtlMs : checkWhole("options.ttlMs", ttlMs),
    };
  }

  /** Resolves with the id of the new entry, whose fields and values `entry` has in turn. Throws as `RedisRepository.pushToStream`. */
  async append(key: string, entry: readonly string[], options: PushOptions = {}): Promise<string> {
    const { maxLength, ttlMs } = this.retention(options);
    const { timeoutMs, signal } = options;
    const sending: SendOptions = { kind: "write", timeoutMs, signal };
    if (!this.#expiry.isFresh(key, ttlMs)) return this.#renew(key, maxLength, entry, ttlMs, sending);
    const began = performance.now();
    // A stream that is there keeps its expiry. One that is gone must not come back without, so it is left uncreated here.
    const args = [key, "NOMKSTREAM", "MAXLEN", "~", String(maxLength), "*", ...entry];
    const id = await this.client.send("XADD", args, sending);
    if (id !== null) return id as string;
    this.#expiry.forget(key);
    const left = timeoutMs && Math.max(1, timeoutMs - (performance.now() - began));
    return this.#renew(key, maxLength, entry, ttlMs, { ...sending, timeoutMs: left });
  }

  /** For when the stream has been removed. */
  forget(key: string): void {
    this.#expiry.forget(key);
  }

  async #renew(key: string, maxLength: number, entry: readonly string[], ttlMs: number, sending: SendOptions) {
    const args = [key, "MAXLEN", "~", String(maxLength), "*", ...entry];
    const id = await this.#expiry.renew(key, ttlMs, (follower) =>
      this.client.send("XADD", args, { ...sending, follower }),
    );
    return id as string;
  }
}
