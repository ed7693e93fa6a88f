import { OperationAbortedError } from "./errors.js";

export interface LimiterOptions {
  /** How many callers may be inside at once. */
  readonly limit: number;
  /** How many more may wait; a further one is refused at once. */
  readonly queueLimit: number;
  /**
   * How much those inside may weigh together, and as much again those who wait; by default weight does not count.
   * What is heavier than that gets in alone.
   */
  readonly weightLimit?: number;
  /** How long one waits, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes the error for a caller that waited too long or found the queue full. */
  readonly refused: (reason: "timeout" | "queue-full", limiter: Limiter) => Error;
}

interface Waiter {
  readonly weight: number;
  readonly admit: () => void;
}

/** Ends a wait; of no effect once it has ended. */
export type Cancel = () => void;

/**
 * Bounds how many callers are inside at once; the others wait in order, up to a time and a number.
 * Neither mysql2's pool nor ioredis bounds its waiters in time.
 */
export class Limiter {
  readonly #waiters = new Set<Waiter>();
  readonly #weightLimit: number;
  #inUse = 0;
  #weightInUse = 0;
  #weightWaiting = 0;

  constructor(readonly options: LimiterOptions) {
    this.#weightLimit = options.weightLimit ?? Number.POSITIVE_INFINITY;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** What those inside and those who wait weigh together. */
  get weight(): number {
    return this.#weightInUse + this.#weightWaiting;
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
    if (!this.tryEnter()) await this.#waitUnlessAborted(timeoutMs, signal);
    let released = false;
    return () => {
      if (!released) this.leave();
      released = true;
    };
  }

  /** Takes a place if one is free and nobody waits for it. Whoever gets one gives it back with `leave`, once and with the same weight. */
  tryEnter(weight = 0): boolean {
    if (this.#waiters.size > 0 || !this.#hasRoom(weight)) return false;
    this.#enter(weight);
    return true;
  }

  leave(weight = 0): void {
    this.#inUse -= 1;
    this.#weightInUse -= weight;
    this.#admitNext();
  }

  /**
   * Waits for a place in order of arrival: calls either `admitted`, with the place taken, or `refused`, once.
   * The function returned ends the wait without either.
   */
  wait(
    admitted: () => void,
    refused: (error: Error) => void,
    { weight = 0, timeoutMs = this.options.timeoutMs }: { weight?: number; timeoutMs?: number } = {},
  ): Cancel {
    if (this.#isFull(weight)) {
      refused(this.options.refused("queue-full", this));
      return () => undefined;
    }
    const cancel = () => {
      clearTimeout(timer);
      if (!this.#waiters.delete(waiter)) return;
      this.#weightWaiting -= weight;
      // The one behind may be lighter.
      this.#admitNext();
    };
    const timer = setTimeout(() => {
      cancel();
      refused(this.options.refused("timeout", this));
    }, timeoutMs);
    const waiter: Waiter = {
      weight,
      admit: () => {
        clearTimeout(timer);
        admitted();
      },
    };
    this.#waiters.add(waiter);
    this.#weightWaiting += weight;
    return cancel;
  }

  #waitUnlessAborted(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    let onAbort: () => void = () => undefined;
    const waiting = new Promise<void>((resolve, reject) => {
      const cancel = this.wait(resolve, reject, { timeoutMs });
      onAbort = () => {
        cancel();
        reject(new OperationAbortedError("Aborted while waiting for a free place"));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
    return waiting.finally(() => signal?.removeEventListener("abort", onAbort));
  }

  #hasRoom(weight: number): boolean {
    if (this.#inUse === 0) return this.options.limit > 0;
    return this.#inUse < this.options.limit && this.#weightInUse + weight <= this.#weightLimit;
  }

  #isFull(weight: number): boolean {
    if (this.#waiters.size >= this.options.queueLimit) return true;
    return this.#waiters.size > 0 && this.#weightWaiting + weight > this.#weightLimit;
  }

  #enter(weight: number): void {
    this.#inUse += 1;
    this.#weightInUse += weight;
  }

  /** A place goes straight to the next waiter, so that a newcomer cannot slip in between. */
  #admitNext(): void {
    while (this.#waiters.size > 0) {
      const [next] = this.#waiters as Iterable<Waiter>;
      if (!next || !this.#hasRoom(next.weight)) return;
      this.#waiters.delete(next);
      this.#weightWaiting -= next.weight;
      this.#enter(next.weight);
      next.admit();
    }
  }
}
