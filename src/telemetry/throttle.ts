/** How often the same trouble is told unless said otherwise, in milliseconds: a client that reconnects meets it many times a second. */
const REPEAT_AFTER_MS = 10_000;
/** Of so many troubles at most it is known when they were told: messages may differ without end. */
const MAX_KEYS = 100;

/** Keeps the same trouble from being logged again and again. */
export class Throttle {
  readonly #toldAt = new Map<string, number>();

  /** `everyMs`: default 10,000. */
  constructor(private readonly everyMs = REPEAT_AFTER_MS) {}

  /** Whether it may be told now, and then it counts as told. `key` tells one trouble from another. */
  allows(key = ""): boolean {
    const now = performance.now();
    if (now - (this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < this.everyMs) return false;
    if (this.#toldAt.size >= MAX_KEYS) this.#toldAt.clear();
    this.#toldAt.set(key, now);
    return true;
  }
}
