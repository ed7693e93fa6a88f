import { OperationAbortedError } from "../../../errors.js";
import type { Ask, Backlog, Occasion } from "../../following/room.js";
import type { MeetingReader } from "../followedRooms.js";
import { START } from "../gap.js";
import { streamOf } from "../keys.js";
import type { ConsumeSettings } from "./consumeInput.js";
import {
  acknowledgedUpTo,
  claimIdle,
  createGroup,
  type GivenEntry,
  isNoGroup,
  type Member,
  takeAgain,
  takeNew,
} from "./groupCommands.js";
import { RoomWorker, type Work, type WorkDependencies } from "./roomWorker.js";
import type { Turns } from "./turns.js";

export interface GroupReaderOptions {
  readonly meetingId: string;
  /** An entry id, `now` or `start`: for a group that does not exist. */
  readonly from: string;
  readonly settings: ConsumeSettings;
  readonly turns: Turns;
  /** Another reader of this consumer, which had the meeting before and may still work. */
  readonly after: Promise<void> | undefined;
  /** Fires when handlers are waited for no longer. */
  readonly stopped: AbortSignal;
  /** There may be more to read. */
  readonly onDue: () => void;
  /** The group had to be created although it had been there. */
  readonly onRestored: () => void;
}

/** Most entries of one read. They are this consumer's from then on, so few. */
const BATCH = 10;
/** Entries of the dead are looked for so often in `minIdleMs`. */
const CLAIMS_PER_IDLE_TIME = 4;

/** One meeting's stream as a consumer of a group reads it: nothing is fetched while it works. */
export class GroupReader implements MeetingReader {
  readonly stream: string;
  /** Resolves once the group exists, or will begin with the stream, so that no entry added later is missed. */
  readonly started: Promise<void>;
  readonly #member: Member;
  readonly #worker: RoomWorker;
  #start!: () => void;
  #fail!: (error: Error) => void;
  /** Where the group is to begin, should it not exist: what comes before is acknowledged. */
  #checkpoint: string;
  /** Whether this consumer may have entries that it does not know of: they come first. */
  #unfinished = true;
  /** Whether the group was there once. */
  #there = false;
  #begun = false;
  #busy = false;
  #again = false;
  #claimedAt = Number.NEGATIVE_INFINITY;
  #claimCursor = START;
  #pause: NodeJS.Timeout | undefined;
  #onIdle: () => void = () => undefined;
  #closed = false;

  constructor(
    dependencies: WorkDependencies,
    private readonly options: GroupReaderOptions,
  ) {
    const { meetingId, from, settings } = options;
    const { group, consumer } = settings;
    this.stream = streamOf(meetingId);
    this.#member = { stream: this.stream, group, consumer };
    this.#worker = new RoomWorker(dependencies, meetingId, this.#member, settings);
    this.#checkpoint = from === "start" ? START : from;
    this.started = new Promise((resolve, reject) => {
      this.#start = resolve;
      this.#fail = reject;
    });
    // Nobody may be waiting any more when it rejects.
    this.started.catch(() => undefined);
    if (options.after) this.#waitFor(options.after);
  }

  get meetingId(): string {
    return this.options.meetingId;
  }

  /** Resolves once nothing is handled or waits for its acknowledgement. To be called once, after `close()`. */
  whenIdle(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  close(): void {
    this.#closed = true;
    if (this.#pause) this.#resume(false);
    this.options.turns.forget(this.#onTurn);
    this.#fail(new OperationAbortedError(`${this.meetingId} is no longer consumed`));
  }

  refused(error: Error): void {
    this.#fail(error);
  }

  backlog(): Backlog | undefined {
    return this.#worker.backlog();
  }

  async read(ask: Ask, occasion: Occasion): Promise<boolean> {
    if (this.#busy) this.#again = true;
    if (this.#busy || !this.#mayFetch()) return false;
    try {
      const entries = await this.#fetch(ask, occasion);
      this.#there = true;
      this.#begin();
      if (entries.length > 0) this.#take(entries);
      return entries.length > 0 && occasion === "sweep";
    } catch (error) {
      // Its reply may be what was lost.
      this.#unfinished = true;
      if (!isNoGroup(error)) throw error;
      return this.#restore(ask);
    }
  }

  /** Whoever waits for the start does not wait for other rooms' handlers. */
  #mayFetch(): boolean {
    return !this.#begun || this.options.turns.mayFetch(this.#onTurn);
  }

  #begin(): void {
    this.#begun = true;
    this.#start();
  }

  readonly #onTurn = () => this.options.onDue();

  async #fetch(ask: Ask, occasion: Occasion): Promise<GivenEntry[]> {
    if (occasion !== "announced") await this.#claim(ask);
    if (this.#unfinished) {
      const oldest = await takeAgain(ask, this.#member);
      if (oldest) return [oldest];
      this.#unfinished = false;
      this.#worker.settledAll();
    }
    return takeNew(ask, this.#member, BATCH);
  }

  /** Takes over what consumers that died have left, and notes how far the group is. */
  async #claim(ask: Ask): Promise<void> {
    const { minIdleMs } = this.options.settings;
    if (performance.now() - this.#claimedAt < minIdleMs / CLAIMS_PER_IDLE_TIME) return;
    const { next, claimed } = await claimIdle(ask, this.#member, minIdleMs, this.#claimCursor, BATCH);
    this.#claimCursor = next;
    if (claimed > 0) this.#unfinished = true;
    // A long list of what others are busy with is gone through with the next reads.
    if (next === START) this.#claimedAt = performance.now();
    else this.options.onDue();
    this.#checkpoint = (await acknowledgedUpTo(ask, this.#member)) ?? this.#checkpoint;
  }

  /** Resolves with whether there is a group to read now. */
  async #restore(ask: Ask): Promise<boolean> {
    const from = await createGroup(ask, this.#member, this.#checkpoint);
    // All that a stream will have which is not there yet is new.
    this.#checkpoint = from ?? START;
    if (from !== undefined && this.#there) this.options.onRestored();
    this.#begin();
    return from !== undefined;
  }

  #take(entries: readonly GivenEntry[]): void {
    this.#busy = true;
    this.options.turns.take(async () => {
      const { stopped } = this.options;
      const work = await this.#worker.work(entries, () => this.#closed, stopped);
      // Its turn is over: a server that is away must not keep the rooms of others waiting.
      void this.#finish(work, entries.length >= BATCH);
    });
  }

  async #finish({ pauseMs, settled }: Work, more: boolean): Promise<void> {
    const all = await settled;
    if (pauseMs !== undefined || all.includes(false)) this.#unfinished = true;
    if (pauseMs && !this.#closed) this.#pause = setTimeout(() => this.#resume(true), pauseMs).unref();
    else this.#resume(this.#again || this.#unfinished || more);
  }

  #waitFor(after: Promise<void>): void {
    this.#busy = true;
    void after.then(() => this.#resume(true));
  }

  #resume(due: boolean): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#busy = false;
    this.#again = false;
    this.#onIdle();
    if (due && !this.#closed) this.options.onDue();
  }
}
