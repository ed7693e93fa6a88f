/** Remembers the last `window` ids, and no more. */
export class RecentIds {
  readonly #ids = new Set<string>();

  constructor(private readonly window: number) {}

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Whether `id` was among them; it is from now on. */
  seen(id: string): boolean {
    if (this.#ids.has(id)) return true;
    this.#ids.add(id);
    if (this.#ids.size > this.window) for (const oldest of this.#ids) return !this.#ids.delete(oldest);
    return false;
  }
}
