/**
 * Bounds how many rooms are worked at once. About as many more may have fetched entries that wait for their turn; beyond that nothing is
 * fetched, so that the entries stay with Redis, where other consumers of the group can have them.
 */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #hungry = new Set<() => void>();
  #running = 0;

  constructor(private readonly limit: number) {}

  /** Whether a room may fetch entries; `again` is called once when it may after it might not. */
  mayFetch(again: () => void): boolean {
    if (this.#running + this.#waiting.length < 2 * this.limit) return true;
    this.#hungry.add(again);
    return false;
  }

  /** For a room that is gone. */
  forget(again: () => void): void {
    this.#hungry.delete(again);
  }

  /** Runs `work`, which never rejects, when its turn has come. */
  take(work: () => Promise<void>): void {
    if (this.#running >= this.limit) this.#waiting.push(work);
    else void this.#run(work);
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#running += 1;
    await work();
    this.#running -= 1;
    const next = this.#waiting.shift();
    if (next) void this.#run(next);
    this.#feed();
  }

  /** All at once and seldom: one by one each would have to pass it on, found it something or not. */
  #feed(): void {
    if (this.#hungry.size === 0 || this.#running + this.#waiting.length > this.limit) return;
    const hungry = [...this.#hungry];
    this.#hungry.clear();
    for (const again of hungry) again();
  }
}
