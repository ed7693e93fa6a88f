import { setImmediate as immediate } from "node:timers/promises";
import { OperationAbortedError } from "../../errors.js";
import type { Ask, Backlog, Occasion, ReaderProgress, StreamReader } from "../following/room.js";
import { EventBuffer } from "./eventBuffer.js";
import {
  type RawEntry,
  type SignalEvent,
  type SubscriptionEvent,
  sizeOf,
  toEvent,
  type UnrecognisedEvent,
} from "./events.js";
import { addedAt, findGap, START, streamInfo } from "./gap.js";
import { streamOf } from "./keys.js";
import { RecentIds } from "./recentIds.js";

export interface RoomOptions {
  readonly meetingId: string;
  /** An entry id, or where the stream begins or ends when it is first asked. */
  readonly from: string;
  readonly recipientId: string | undefined;
  /** How many request ids are remembered to drop repeats; 0 drops none. */
  readonly dedupeWindow: number;
  /** Most events that wait to be taken; while so many wait, nothing is read. */
  readonly bufferSize: number;
  /** Events wait to be taken. */
  readonly onEvents: (room: RoomReader) => void;
  /** There is room again after there was none. */
  readonly onRoom: (room: RoomReader) => void;
}

/** One meeting's cursor in one subscription, and the events between it and the subscriber. */
export class RoomReader implements StreamReader {
  readonly stream: string;
  /** Resolves once the cursor is known and the stream could be read, so that no entry added later is missed. */
  readonly started: Promise<void>;
  readonly #events: EventBuffer;
  readonly #recent: RecentIds | undefined;
  #begin!: () => void;
  #fail!: (error: Error) => void;
  /** The last entry that was read; undefined until the stream has told its end. */
  #cursor: string | undefined;
  /** Whether the stream had the entry at the cursor. */
  #held = false;
  /** Older than the cursor by a sweep or two, or where it began. */
  #mark = START;
  #nextMark = START;
  /** Whether the first entries may be missing without that being a gap. */
  #fromStart: boolean;
  #begun = false;
  #waiting = false;
  #closed = false;

  constructor(private readonly options: RoomOptions) {
    this.stream = streamOf(options.meetingId);
    this.#events = new EventBuffer(options.bufferSize);
    this.started = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    // Nobody may be waiting any more when it rejects.
    this.started.catch(() => undefined);
    this.#fromStart = options.from === "start" || options.from === START;
    if (options.dedupeWindow > 0) this.#recent = new RecentIds(options.dedupeWindow);
    if (options.from !== "now") this.#startAt(this.#fromStart ? START : options.from);
  }

  get meetingId(): string {
    return this.options.meetingId;
  }

  get pending(): number {
    return this.#events.length;
  }

  take(): SubscriptionEvent | undefined {
    const event = this.#events.shift();
    if (this.#waiting && this.#events.halfEmpty) {
      this.#waiting = false;
      this.options.onRoom(this);
    }
    return event;
  }

  progress(): ReaderProgress | undefined {
    if (this.#cursor === undefined) return undefined;
    const entries = this.#events.entryIds;
    return { cursor: this.#cursor, waiting: entries.length, firstWaiting: entries[0] };
  }

  backlog(): Backlog | undefined {
    if (this.#events.length === 0) return undefined;
    const entries = this.#events.entryIds;
    return { waiting: entries.length, pending: 0, oldest: addedAt(entries[0]) };
  }

  close(): void {
    this.#closed = true;
    this.#fail(new OperationAbortedError(`${this.meetingId} is no longer followed`));
    this.#events.clear();
  }

  refused(error: Error): void {
    this.#fail(error);
  }

  async read(ask: Ask, occasion: Occasion): Promise<boolean> {
    if (this.#cursor === undefined) return this.#resolveEnd(ask);
    if (occasion === "sweep") return this.#isBehind(ask, this.#cursor);
    const { room } = this.#events;
    this.#waiting = room === 0;
    return this.#waiting ? false : this.#readOn(ask, this.#cursor, room);
  }

  /** Once only: asked again after a failure, the end would be another, and what lies between would be missed. */
  async #resolveEnd(ask: Ask): Promise<boolean> {
    const info = await streamInfo(ask, this.stream);
    this.#startAt(info?.lastId ?? START);
    this.#begun = true;
    this.#begin();
    return true;
  }

  #startAt(cursor: string): void {
    this.#cursor = cursor;
    this.#mark = cursor;
    this.#nextMark = cursor;
  }

  async #isBehind(ask: Ask, cursor: string): Promise<boolean> {
    this.#mark = this.#nextMark;
    this.#nextMark = cursor;
    if (this.#waiting) return false;
    const entries = (await ask("XRANGE", [this.stream, `(${cursor}`, "+", "COUNT", 1])) as unknown[];
    return entries.length > 0;
  }

  /** Reads from the cursor's own entry: as long as it is there, nothing behind it was trimmed. */
  async #readOn(ask: Ask, cursor: string, count: number): Promise<boolean> {
    const entries = (await ask("XRANGE", [this.stream, cursor, "+", "COUNT", count + 1])) as RawEntry[];
    if (!this.#begun) await this.#beginFirst();
    const anchored = entries[0]?.[0] === cursor;
    const fresh = anchored ? entries.slice(1) : entries.slice(0, count);
    const whole = anchored || (cursor === START && (this.#fromStart || entries.length === 0));
    const position = { cursor, mark: this.#mark, held: this.#held };
    const gap = whole ? undefined : await findGap(ask, this.stream, position);
    if (this.#closed) return false;
    if (gap) this.#tell(gap);
    if (gap && gap.cursor !== cursor) return true;
    this.#events.measured(fresh.map(sizeOf));
    for (const entry of fresh) this.#keep(toEvent(this.meetingId, entry), sizeOf(entry));
    this.#cursor = fresh.at(-1)?.[0] ?? cursor;
    this.#held ||= entries.length > 0;
    if (this.#events.length > 0) this.options.onEvents(this);
    return fresh.length >= count;
  }

  /** Whoever waits for the start goes on before the first events come. */
  async #beginFirst(): Promise<void> {
    this.#begun = true;
    this.#begin();
    await immediate();
  }

  #tell({ reason, cursor }: { reason: "trimmed" | "lost"; cursor: string }): void {
    this.#cursor = cursor;
    this.#held = false;
    this.#mark = cursor;
    this.#nextMark = cursor;
    this.#fromStart = false;
    this.#events.push({ kind: "resync", meetingId: this.meetingId, reason, cursor }, 0);
    this.options.onEvents(this);
  }

  #keep(event: SignalEvent | UnrecognisedEvent, size: number): void {
    if (event.kind === "signal" && !this.#isFor(event)) return;
    this.#events.push(event, size);
  }

  #isFor({ receiverIds, requestId }: SignalEvent): boolean {
    const { recipientId } = this.options;
    if (recipientId !== undefined && receiverIds !== null && !receiverIds.includes(recipientId)) return false;
    return !this.#recent?.seen(requestId);
  }
}
