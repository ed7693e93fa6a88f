import { OperationAbortedError } from "./errors.js";

export interface LimiterOptions {
  /** How many callers may be inside at once. */
  readonly limit: number;
  /** How many more may wait; a further one is refused at once. */
  readonly queueLimit: number;
  /** How long one waits, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes the error for a caller that waited too long or found the queue full. */
  readonly refused: (reason: "timeout" | "queue-full", limiter: Limiter) => Error;
}

interface Waiter {
  readonly admit: () => void;
}

/**
 * Bounds how many callers are inside at once; the others wait in order, up to a time and a number.
 * Neither mysql2's pool nor ioredis bounds its waiters in time.
 */
export class Limiter {
  readonly #waiters = new Set<Waiter>();
  #inUse = 0;

  constructor(readonly options: LimiterOptions) {}

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves with a function that gives the place back; calling it twice is harmless.
   * @throws what `refused` makes, when no place came free in time or the queue is full
   * @throws OperationAbortedError when `signal` fires first
   */
  async acquire({
    timeoutMs = this.options.timeoutMs,
    signal,
  }: {
    timeoutMs?: number;
    signal?: AbortSignal | undefined;
  } = {}): Promise<() => void> {
    if (signal?.aborted) throw new OperationAbortedError("Aborted before it began");
    if (this.#inUse >= this.options.limit || this.#waiters.size > 0) await this.#wait(timeoutMs, signal);
    else this.#inUse += 1;
    return this.#releaseOnce();
  }

  #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiters.size >= this.options.queueLimit) return Promise.reject(this.options.refused("queue-full", this));
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#waiters.delete(waiter);
      };
      const onAbort = () => {
        leave();
        reject(new OperationAbortedError("Aborted while waiting for a free place"));
      };
      const timer = setTimeout(() => {
        leave();
        reject(this.options.refused("timeout", this));
      }, timeoutMs);
      const waiter: Waiter = {
        admit: () => {
          leave();
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  #releaseOnce(): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      // The place goes straight to the next waiter, so that a newcomer cannot slip in between.
      const [next] = this.#waiters;
      if (next) next.admit();
      else this.#inUse -= 1;
    };
  }
}
