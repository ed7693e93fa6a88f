import { PublishUnknownError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import type { RedisClient } from "./client.js";

/** Failures are logged at most this often, in milliseconds. */
const WARN_EVERY_MS = 10_000;

/**
 * Lets idle streams expire. PEXPIRE goes out right behind XADD, on the same connection in the same tick, and nobody waits for it;
 * it may be executed any number of times, so unlike XADD it is repeated until it has worked.
 */
export class StreamExpiry {
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly client: RedisClient,
    private readonly logger: Logger,
  ) {}

  renew(key: string, ttlMs: number, pushed: Promise<unknown>): void {
    const renewed = this.#expire(key, ttlMs, "once");
    this.#settle(key, ttlMs, pushed, renewed).catch((error: unknown) => this.#warn(error));
  }

  async #settle(key: string, ttlMs: number, pushed: Promise<unknown>, renewed: Promise<unknown>): Promise<void> {
    const [push, expiry] = await Promise.allSettled([pushed, renewed]);
    if (expiry.status === "fulfilled" && expiry.value === 1) return;
    const mayBeStored = push.status === "fulfilled" || push.reason instanceof PublishUnknownError;
    // Once more, with all the patience there is; a reply of 0 meant that XADD came later, by another way.
    if (mayBeStored) await this.#expire(key, ttlMs);
  }

  #expire(key: string, ttlMs: number, attempts?: "once"): Promise<unknown> {
    return this.client.send("PEXPIRE", [key, ttlMs], { kind: "read", ...(attempts && { attempts }) });
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
