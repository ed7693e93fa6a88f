import type { RedisConfig } from "../config/types.js";
import { BackpressureError, PublishUnknownError } from "../errors.js";
import { Limiter } from "../limiter.js";
import type { Logger } from "../telemetry/logger.js";
import { Throttle } from "../telemetry/throttle.js";
import type { RedisClient } from "./client.js";
import type { Follower } from "./sendOptions.js";

/** How long an expiry that was set counts as fresh: a share of its time, and at most so many milliseconds. */
const FRESH_SHARE = 1 / 20;
const FRESH_MS = 60_000;
/** Of so many streams at most it is known whether their expiry is fresh; for others it is renewed with each push. */
const MAX_REMEMBERED = 50_000;

interface Expiry {
  readonly ttlMs: number;
  readonly freshUntil: number;
}

/**
 * Lets idle streams expire. PEXPIRE goes out right behind XADD, on the same connection and in the same place, and nobody waits for it;
 * it may be executed any number of times, so unlike XADD it is repeated until it has worked. While it is fresh, pushes go without.
 */
export class StreamExpiry {
  /** Repetitions have a bound of their own: they compete with no push, and all that one lost connection calls for fit in. */
  readonly #repetitions: Limiter;
  /** In the order in which they were set. */
  readonly #expiries = new Map<string, Expiry>();
  readonly #warnings = new Throttle();

  constructor(
    private readonly client: RedisClient,
    { maxInFlight, poolTimeoutMs }: Pick<RedisConfig, "maxInFlight" | "poolTimeoutMs">,
    private readonly logger: Logger,
  ) {
    this.#repetitions = new Limiter({
      limit: maxInFlight,
      queueLimit: maxInFlight,
      timeoutMs: poolTimeoutMs,
      refused: () => new BackpressureError("too many expiries wait to be set"),
    });
  }

  /** Whether the stream was given this expiry so lately that a push need not renew it, should the stream still be there. */
  isFresh(key: string, ttlMs: number, now = performance.now()): boolean {
    const expiry = this.#expiries.get(key);
    return expiry !== undefined && expiry.ttlMs === ttlMs && now < expiry.freshUntil;
  }

  forget(key: string): void {
    this.#expiries.delete(key);
  }

  /** Calls `push` with what is to follow XADD, and resolves as it does. */
  async renew(key: string, ttlMs: number, push: (follower: Follower) => Promise<unknown>): Promise<unknown> {
    const args = [key, ttlMs] as const;
    const freshUntil = performance.now() + Math.min(ttlMs * FRESH_SHARE, FRESH_MS);
    let settled!: Follower["settled"];
    const reply = new Promise<unknown>((resolve) => {
      settled = resolve;
    });
    try {
      const pushed = await push({ command: "PEXPIRE", args, settled });
      void this.#ensure(args, freshUntil, reply);
      return pushed;
    } catch (error) {
      if (error instanceof PublishUnknownError) void this.#ensure(args, freshUntil, reply);
      throw error;
    }
  }

  async #ensure(args: readonly [key: string, ttlMs: number], freshUntil: number, reply: Promise<unknown>) {
    // 0 means that XADD came later, by another way.
    if ((await reply) === 1) return this.#remember(...args, freshUntil);
    const repetition = this.client.send("PEXPIRE", args, { kind: "read", limiter: this.#repetitions });
    await repetition.catch((error: unknown) => this.#warn(error));
  }

  #remember(key: string, ttlMs: number, freshUntil: number): void {
    this.#expiries.delete(key);
    for (const oldest of this.#expiries.keys()) {
      if (this.#expiries.size < MAX_REMEMBERED) break;
      this.#expiries.delete(oldest);
    }
    this.#expiries.set(key, { ttlMs, freshUntil });
  }

  #warn(error: unknown): void {
    if (!this.#warnings.allows()) return;
    const why = error instanceof Error ? error.message : String(error);
    this.logger.warn(
      { event: "redis.expiry" },
      `A stream's expiry could not be set; the next push to it sets it: ${why}`,
    );
  }
}
