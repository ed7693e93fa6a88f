import type { RedisConfig } from "../config/types.js";
import { BackpressureError, PublishUnknownError } from "../errors.js";
import { Limiter } from "../limiter.js";
import type { Logger } from "../telemetry/logger.js";
import type { RedisClient } from "./client.js";
import type { Follower } from "./operation.js";

/** Failures are logged at most this often, in milliseconds. */
const WARN_EVERY_MS = 10_000;

/**
 * Lets idle streams expire. PEXPIRE goes out right behind XADD, on the same connection and in the same place, and nobody waits for it;
 * it may be executed any number of times, so unlike XADD it is repeated until it has worked.
 */
export class StreamExpiry {
  /** Repetitions have a bound of their own: they compete with no push, and all that one lost connection calls for fit in. */
  readonly #repetitions: Limiter;
  #warnedAt = Number.NEGATIVE_INFINITY;

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

  /** Calls `push` with what is to follow XADD, and resolves as it does. */
  async renew(key: string, ttlMs: number, push: (follower: Follower) => Promise<unknown>): Promise<unknown> {
    const args = [key, ttlMs];
    let settled!: Follower["settled"];
    const reply = new Promise<unknown>((resolve) => {
      settled = resolve;
    });
    try {
      const pushed = await push({ command: "PEXPIRE", args, settled });
      void this.#ensure(args, reply);
      return pushed;
    } catch (error) {
      if (error instanceof PublishUnknownError) void this.#ensure(args, reply);
      throw error;
    }
  }

  async #ensure(args: readonly (string | number)[], reply: Promise<unknown>): Promise<void> {
    // 0 means that XADD came later, by another way.
    if ((await reply) === 1) return;
    const repetition = this.client.send("PEXPIRE", args, { kind: "read", limiter: this.#repetitions });
    await repetition.catch((error: unknown) => this.#warn(error));
  }

  #warn(error: unknown): void {
    const now = performance.now();
    if (now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    const why = error instanceof Error ? error.message : String(error);
    this.logger.warn(
      { event: "redis.expiry" },
      `A stream's expiry could not be set; the next push to it sets it: ${why}`,
    );
  }
}
