import type { Store } from "../errors.js";
import type { Logger } from "./logger.js";
import { Throttle } from "./throttle.js";

/** Of one operation a line at most this often, in milliseconds: a frozen server makes all that are under way slow at once. */
const TELL_EVERY_MS = 1_000;

/** The lines about what took long: what it was and for how long, never a text that was sent or its values. */
export class SlowLines {
  /** From so many milliseconds on it is slow; infinite: nothing is. */
  readonly thresholdMs: number;
  readonly #throttle = new Throttle(TELL_EVERY_MS);
  #untold = 0;

  /** `slowOperationMs`: 0 tells of none. */
  constructor(
    private readonly logger: Logger,
    private readonly store: Store,
    slowOperationMs: number,
  ) {
    this.thresholdMs = slowOperationMs || Number.POSITIVE_INFINITY;
  }

  /** `operation`: its name, of a bounded set. */
  tell(operation: string, ms: number, error?: Error): void {
    if (!this.#throttle.allows(operation)) {
      this.#untold += 1;
      return;
    }
    const untold = this.#untold > 0 ? { untold: this.#untold } : {};
    this.#untold = 0;
    const failed = error ? { error: error.name } : {};
    const fields = { event: `${this.store}.slow`, operation, ms: Math.round(ms), ...failed, ...untold };
    this.logger.warn(fields, `${operation} took ${fields.ms} ms`);
  }
}
