import { AsyncLocalStorage } from "node:async_hooks";
import { setMaxListeners } from "node:events";
import { ClientNilError, OperationAbortedError } from "../../../errors.js";
import { Throttle } from "../../../telemetry/throttle.js";
import type { Following } from "../../following/following.js";
import { FollowedRooms } from "../followedRooms.js";
import { checkFrom, checkMeetingIds } from "../subscribeInput.js";
import { type ConsumeOptions, type ConsumeSettings, checkConsumeOptions } from "./consumeInput.js";
import { GroupReader } from "./groupReader.js";
import type { WorkDependencies } from "./roomWorker.js";
import { Turns } from "./turns.js";

/** Some meetings' signals, handled as one consumer of a group. */
export interface SignalConsumption {
  /** The meetings that are consumed now. */
  readonly meetingIds: readonly string[];
  /**
   * Consumes more meetings; one that is consumed already goes on as it does.
   * @throws as `consume`; none of them is consumed then
   */
  add(meetingIds: string | readonly string[], from?: ConsumeOptions["from"]): Promise<void>;
  /** Takes up no more of these meetings' entries; a handler that runs may finish. */
  remove(meetingIds: string | readonly string[]): void;
  /**
   * Takes up no more entries and waits for handlers that run, at most `closeTimeoutMs`; what was not begun goes to other consumers
   * at once, what did not finish after `minIdleMs`. Idempotent. Not for a handler to await: it would wait for itself.
   */
  close(): Promise<void>;
}

export interface ConsumeDependencies extends Omit<WorkDependencies, "warnings" | "inConsumersContext"> {
  readonly following: Following;
}

/** Opens a consumer of a group. @see Signals.consume */
export async function consume(dependencies: ConsumeDependencies, options: ConsumeOptions): Promise<SignalConsumption> {
  const settings = checkConsumeOptions(options);
  if (options.signal?.aborted) throw new OperationAbortedError("consume was aborted before it began");
  const consumption = new OpenConsumption(dependencies, settings, options);
  try {
    await consumption.add(options.meetingIds, options.from);
    return consumption;
  } catch (error) {
    await consumption.close();
    throw error;
  }
}

class OpenConsumption implements SignalConsumption {
  readonly #rooms: FollowedRooms<GroupReader>;
  readonly #turns: Turns;
  readonly #stopped = new AbortController();
  readonly #forget: () => void;
  /** Meetings that were removed while their handler ran, until it has finished. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Data loss often concerns many meetings. */
  readonly #warnings = new Throttle();
  readonly #work: WorkDependencies;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly dependencies: ConsumeDependencies,
    private readonly settings: ConsumeSettings,
    private readonly options: Pick<ConsumeOptions, "signal" | "timeoutMs">,
  ) {
    this.#rooms = new FollowedRooms(dependencies.following);
    this.#work = { ...dependencies, warnings: this.#warnings, inConsumersContext: AsyncLocalStorage.snapshot() };
    this.#turns = new Turns(settings.concurrency);
    // One for each handler that runs.
    setMaxListeners(settings.concurrency, this.#stopped.signal);
    const onAbort = () => this.close();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const stopListening = dependencies.following.onClose(onAbort);
    this.#forget = () => {
      stopListening();
      options.signal?.removeEventListener("abort", onAbort);
    };
  }

  get meetingIds(): readonly string[] {
    return this.#rooms.meetingIds;
  }

  async add(meetingIds: string | readonly string[], from: ConsumeOptions["from"] = "start"): Promise<void> {
    if (this.#closing) throw new ClientNilError("signals consumer", "closed");
    const wanted = checkMeetingIds(meetingIds);
    const added = this.#rooms.missing(wanted);
    const origins = checkFrom(added, from, "start");
    const readers = added.map((meetingId) => this.#makeReader(meetingId, origins.get(meetingId) as string));
    const { signal, timeoutMs = this.dependencies.config.poolTimeoutMs } = this.options;
    await this.#rooms.add(wanted, readers, { timeoutMs, signal });
  }

  remove(meetingIds: string | readonly string[]): void {
    this.#leave(checkMeetingIds(meetingIds));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#forget();
    this.#leave(this.#rooms.meetingIds);
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.settings.closeTimeoutMs);
    });
    await Promise.race([Promise.all(this.#leaving.values()), timeUp]);
    clearTimeout(timer);
    this.#stopped.abort(new Error("the consumer was closed"));
  }

  #leave(meetingIds: readonly string[]): void {
    for (const reader of this.#rooms.remove(meetingIds)) {
      const { meetingId } = reader;
      const left = reader.whenIdle().then(() => {
        if (this.#leaving.get(meetingId) === left) this.#leaving.delete(meetingId);
      });
      this.#leaving.set(meetingId, left);
    }
  }

  #makeReader(meetingId: string, from: string): GroupReader {
    const reader: GroupReader = new GroupReader(this.#work, {
      meetingId,
      from,
      settings: this.settings,
      turns: this.#turns,
      after: this.#leaving.get(meetingId),
      stopped: this.#stopped.signal,
      onDue: () => this.#rooms.due(reader),
      onRestored: () => this.#warn(meetingId),
    });
    return reader;
  }

  #warn(meetingId: string): void {
    if (!this.#warnings.allows()) return;
    this.dependencies.logger.warn(
      { event: "signals.group", meetingId, group: this.settings.group },
      "A consumer group was gone and was created again where it was last known to be; entries may be handled again",
    );
  }
}
