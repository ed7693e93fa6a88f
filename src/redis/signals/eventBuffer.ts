import type { SubscriptionEvent } from "./events.js";

/** So much of a meeting's text may wait to be taken, in characters; more stays in Redis. */
const MAX_CHARACTERS = 1_048_576;
/** Most entries of one read. */
const MAX_BATCH = 100;
/** Entries of the first read, while nobody knows how large they are. */
const FIRST_BATCH = 8;

/** Events between their stream and the subscriber, bounded in number and in size. */
export class EventBuffer {
  readonly #events: SubscriptionEvent[] = [];
  readonly #sizes: number[] = [];
  #characters = 0;
  /** The largest entry of the last read. */
  #entrySize = MAX_CHARACTERS / FIRST_BATCH;

  constructor(private readonly maxEvents: number) {}

  get length(): number {
    return this.#events.length;
  }

  get waiting(): readonly SubscriptionEvent[] {
    return this.#events;
  }

  /** Of the entries among the events. */
  get entryIds(): string[] {
    return this.#events.flatMap((event) => (event.kind === "resync" ? [] : event.entryId));
  }

  /** Whether enough was taken for another read to be worth it. */
  get halfEmpty(): boolean {
    return this.#events.length <= this.maxEvents / 2 && this.#characters <= MAX_CHARACTERS / 2;
  }

  /** How many entries may be read; 0 when it is full. */
  get room(): number {
    const events = this.maxEvents - this.#events.length;
    if (events <= 0 || this.#characters >= MAX_CHARACTERS) return 0;
    const fitting = Math.floor((MAX_CHARACTERS - this.#characters) / this.#entrySize);
    return Math.min(events, MAX_BATCH, Math.max(1, fitting));
  }

  /** The entries of a read were as large as this, in characters. */
  measured(sizes: readonly number[]): void {
    if (sizes.length > 0) this.#entrySize = Math.max(1, ...sizes);
  }

  push(event: SubscriptionEvent, size: number): void {
    this.#events.push(event);
    this.#sizes.push(size);
    this.#characters += size;
  }

  shift(): SubscriptionEvent | undefined {
    this.#characters -= this.#sizes.shift() ?? 0;
    return this.#events.shift();
  }

  clear(): void {
    this.#events.length = 0;
    this.#sizes.length = 0;
    this.#characters = 0;
  }
}
