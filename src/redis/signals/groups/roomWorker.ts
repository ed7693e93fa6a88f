import type { RedisConfig } from "../../../config/types.js";
import { withDeadline } from "../../../deadline.js";
import { DeadlineExceededError } from "../../../errors.js";
import type { Logger } from "../../../telemetry/logger.js";
import type { Throttle } from "../../../telemetry/throttle.js";
import type { RedisClient } from "../../client.js";
import type { Ask, Backlog } from "../../following/room.js";
import type { Deliveries } from "../deliveries.js";
import { toEvent } from "../events.js";
import { addedAt } from "../gap.js";
import { RecentIds } from "../recentIds.js";
import type { ConsumeSettings } from "./consumeInput.js";
import { bury } from "./deadLetters.js";
import { type GivenEntry, justBefore, type Member, takeAgain } from "./groupCommands.js";

export interface WorkDependencies {
  readonly client: RedisClient;
  readonly config: Pick<RedisConfig, "streamTtlMs" | "poolTimeoutMs" | "readTimeoutMs" | "writeTimeoutMs">;
  readonly logger: Logger;
  readonly deliveries: Deliveries;
  /** Of all meetings of the consumer. */
  readonly warnings: Throttle;
  /** Runs a handler in the context of who consumes: a connection that many share calls in none. */
  readonly inConsumersContext: <T>(run: () => T) => T;
}

/** How the work on a batch of entries ended. */
export interface Work {
  /** Undefined when all are done; else the group is to be asked what is still to do, after so long. */
  readonly pauseMs: number | undefined;
  /** Whether each entry could be settled with the group. */
  readonly settled: Promise<boolean[]>;
}

/** As `Work.pauseMs`, for one entry. */
type Outcome = number | undefined;

const DONE = undefined;
const ASK_AT_ONCE = 0;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** Entries that are remembered as handled, should their acknowledgement be lost. */
const REMEMBERED = 128;

/** Handles the entries of one meeting, one after another, and settles each with the group. */
export class RoomWorker {
  readonly #handled = new RecentIds(REMEMBERED);
  /** Entries that were given and are not settled, the oldest first but for those given again. */
  readonly #pending = new Set<string>();
  /** By the commands' own connection: the followed node's is for reads that may be given up. */
  readonly #ask: Ask;

  constructor(
    private readonly dependencies: WorkDependencies,
    private readonly meetingId: string,
    private readonly member: Member,
    private readonly settings: ConsumeSettings,
  ) {
    const { client, config } = dependencies;
    // It has a turn meanwhile: not for as long as a caller might wait.
    const timeoutMs = config.readTimeoutMs;
    this.#ask = (command, args) => client.send(command, args, { kind: "read", timeoutMs });
  }

  /** What it knows to be this consumer's; undefined for nothing. */
  backlog(): Backlog | undefined {
    const [first] = this.#pending;
    return first === undefined ? undefined : { waiting: 0, pending: this.#pending.size, oldest: addedAt(first) };
  }

  /** The group has told that nothing is this consumer's. */
  settledAll(): void {
    this.#pending.clear();
  }

  /** Never rejects. `closed`: no more entries are taken up. `stopped`: the handler is waited for no longer. */
  async work(entries: readonly GivenEntry[], closed: () => boolean, stopped: AbortSignal): Promise<Work> {
    const settling: Promise<boolean>[] = [];
    let pauseMs: Outcome = DONE;
    for (const { id } of entries) this.#pending.add(id);
    for (const [index, entry] of entries.entries()) {
      const begun = !closed();
      pauseMs = begun ? await this.#handleOne(entry, settling, stopped) : ASK_AT_ONCE;
      if (pauseMs === DONE) continue;
      settling.push(this.#putBack(entries.slice(begun ? index + 1 : index), closed()));
      break;
    }
    return { pauseMs, settled: Promise.all(settling) };
  }

  /**
   * No handler has had them, so this delivery does not count. When it is closed they are made idle too: another consumer of the group
   * takes them over as soon as it looks.
   */
  async #putBack(entries: readonly GivenEntry[], closed: boolean): Promise<boolean> {
    const { minIdleMs } = this.settings;
    // How long they cannot be another's yet; they were given together.
    const timeoutMs = minIdleMs - (performance.now() - (entries[0]?.givenAt ?? 0));
    if (entries.length === 0 || timeoutMs <= 0) return true;
    return this.#settle("XCLAIM", () => this.#claim(entries, (entries[0]?.deliveries ?? 1) - 1, { closed, timeoutMs }));
  }

  #claim(
    entries: readonly GivenEntry[],
    deliveries: number,
    { closed = false, timeoutMs }: { closed?: boolean; timeoutMs: number },
  ): Promise<unknown> {
    const { stream, group, consumer } = this.member;
    const ids = entries.map(({ id }) => id);
    const idle = closed ? this.settings.minIdleMs : 0;
    const args = [stream, group, consumer, 0, ...ids, "IDLE", idle, "RETRYCOUNT", deliveries, "JUSTID"];
    return this.dependencies.client.send("XCLAIM", args, { kind: "read", timeoutMs });
  }

  async #handleOne(given: GivenEntry, settling: Promise<boolean>[], stopped: AbortSignal): Promise<Outcome> {
    const entry = await this.#makeCertain(given);
    if (!entry) return ASK_AT_ONCE;
    const { id, pairs, deliveries } = entry;
    const { maxDeliveries } = this.settings;
    if (pairs === null) this.#warnGone(id);
    else if (!this.#handled.has(id)) {
      if (deliveries > maxDeliveries) return this.#bury(entry, "no handler has finished: the processes ended before");
      const attempt = () => this.#attempt(id, pairs, deliveries, stopped);
      const failure = await this.dependencies.inConsumersContext(attempt);
      if (stopped.aborted) return ASK_AT_ONCE;
      if (failure !== undefined)
        return deliveries < maxDeliveries ? pauseAfter(deliveries) : this.#bury(entry, failure);
      this.#handled.seen(id);
    }
    settling.push(this.#acknowledge(id));
    return DONE;
  }

  /**
   * The handler starts only while the entry cannot become another's before it ends; else the entry is taken anew, which does not count
   * unless another had it in between.
   */
  async #makeCertain(entry: GivenEntry): Promise<GivenEntry | undefined> {
    const { minIdleMs, handlerTimeoutMs } = this.settings;
    const { deliveries, id } = entry;
    if (performance.now() - entry.givenAt <= minIdleMs - handlerTimeoutMs) return entry;
    try {
      const anew = await takeAgain(this.#ask, this.member, justBefore(id));
      if (anew?.id !== id) return undefined;
      if (anew.deliveries !== deliveries + 1) return anew;
      await this.#claim([anew], deliveries, { timeoutMs: minIdleMs - handlerTimeoutMs });
      return { ...anew, deliveries };
    } catch (error) {
      this.#warn("taken again", error);
      return undefined;
    }
  }

  /** Resolves with what is to be said of the failure; with undefined when there was none. */
  async #attempt(id: string, pairs: readonly string[], deliveries: number, stopped: AbortSignal) {
    const { handler, handlerTimeoutMs: timeoutMs, group } = this.settings;
    const { meetingId } = this;
    const overdue = () => new DeadlineExceededError(`the handler did not finish within ${timeoutMs} ms`);
    const { deliveries: observed } = this.dependencies;
    try {
      const event = toEvent(meetingId, [id, pairs]);
      observed.given(event);
      const attempt = () =>
        withDeadline({ timeoutMs, signal: stopped, overdue }, (deadline) =>
          deadline.race((async () => handler(event, { deliveries, signal: deadline.signal }))()),
        );
      await observed.handle(event, attempt, group);
      return undefined;
    } catch (error) {
      const text = textOf(error);
      this.dependencies.logger.error(
        { event: "signals.handler", meetingId, group, entryId: id, deliveries },
        `A signal handler failed: ${text}`,
      );
      return text;
    }
  }

  async #bury(entry: GivenEntry, reason: string): Promise<Outcome> {
    const { meetingId, member, dependencies } = this;
    const buried = await this.#settle("the dead letter", () => bury(dependencies, meetingId, member, entry, reason));
    if (!buried) return pauseAfter(entry.deliveries);
    this.#pending.delete(entry.id);
    dependencies.deliveries.gaveUp();
    dependencies.logger.warn(
      { event: "signals.deadLetter", meetingId, group: member.group, entryId: entry.id, deliveries: entry.deliveries },
      `An entry is a dead letter after ${entry.deliveries} deliveries`,
    );
    return DONE;
  }

  async #acknowledge(id: string): Promise<boolean> {
    const { stream, group } = this.member;
    const { client } = this.dependencies;
    const done = await this.#settle("XACK", () => client.send("XACK", [stream, group, id], { kind: "idempotent" }));
    if (done) this.#pending.delete(id);
    return done;
  }

  /** Resolves with whether it worked; the entry is still the consumer's when it did not. */
  async #settle(what: string, run: () => Promise<unknown>): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      this.#warn(what, error);
      return false;
    }
  }

  #warn(what: string, error: unknown): void {
    const { group } = this.member;
    const { logger, warnings } = this.dependencies;
    // A server that is away holds up every entry in hand.
    if (!warnings.allows(`settle ${what}`)) return;
    logger.warn(
      { event: "signals.settle", meetingId: this.meetingId, group },
      `An entry could not be settled with its group (${what}) and is tried again: ${textOf(error)}`,
    );
  }

  #warnGone(entryId: string): void {
    this.dependencies.logger.warn(
      { event: "signals.gone", meetingId: this.meetingId, group: this.member.group, entryId },
      "An entry was deleted or trimmed before it was handled",
    );
  }
}

/** Doubles with each delivery. */
function pauseAfter(deliveries: number): Outcome {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(deliveries - 1, 10), MAX_PAUSE_MS);
}

function textOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return typeof error === "string" ? error : `a thrown ${typeof error}`;
}
