/**
 * Tells of what has waited for too long: one timer for all that wait equally long. Node.js' own timers, set and cleared for each command,
 * take longer than sending it when only one waits at a time.
 */
export class Overdue<T> {
  /** Since when each waits, the longest first. */
  readonly #waiting = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly afterMs: number,
    private readonly onOverdue: (item: T) => void,
  ) {}

  /** Starts the wait, or starts it anew. */
  add(item: T): void {
    this.#waiting.delete(item);
    this.#waiting.set(item, performance.now());
    this.#timer ??= this.#checkIn(this.afterMs);
  }

  delete(item: T): void {
    this.#waiting.delete(item);
  }

  /** Keeps no process running: what is waited for comes by a connection, which does. */
  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), ms).unref();
  }

  #check(): void {
    this.#timer = undefined;
    for (const [item, since] of this.#waiting) {
      const left = since + this.afterMs - performance.now();
      if (left > 0) {
        this.#timer = this.#checkIn(left);
        return;
      }
      this.#waiting.delete(item);
      this.onOverdue(item);
    }
  }
}
