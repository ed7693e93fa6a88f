import { expect } from "chai";
import type { SubscriptionEvent } from "../../../src/redis/signals/events.js";
import type { SignalSubscription } from "../../../src/redis/signals/subscription.js";
import type { Signal } from "../../../src/redis/signals/types.js";
import { Condition } from "../../support/condition.js";
import type { Opened } from "./openClient.js";

export function joined(meetingId: string, requestId: string): Signal {
  return {
    type: "DoordarshanUserJoined",
    meetingId,
    senderId: "p1",
    payload: { userJoinedReason: "joined" },
    requestId,
  };
}

/** Writers that publish to as many meetings, one signal at a time each, and a subscriber that keeps what it gets. */
export class SignalLoad {
  readonly events = new Map<string, SubscriptionEvent[]>();
  readonly #acknowledged = new Set<string>();
  readonly #progress = new Map<string, number>();
  readonly #condition = new Condition();
  #running = true;
  #writers: Promise<unknown> = Promise.resolve();
  #subscription: SignalSubscription | undefined;

  private constructor(
    private readonly opened: Opened,
    readonly meetingIds: readonly string[],
  ) {}

  static async start(opened: Opened, prefix: string, meetings: number): Promise<SignalLoad> {
    const load = new SignalLoad(
      opened,
      Array.from({ length: meetings }, (_, i) => `${prefix}-${i}`),
    );
    load.#subscription = await opened.signals.subscribe(load.meetingIds, {
      dedupe: true,
      dedupeWindow: 10_000,
      handler: (event) => load.#keep(event),
    });
    load.#writers = Promise.all(load.meetingIds.map((meetingId) => load.#write(meetingId)));
    await load.untilProgress();
    return load;
  }

  /** Resolves once each of the meetings had a signal delivered and one acknowledged that was published after the call. */
  untilProgress(meetingIds = this.meetingIds): Promise<void> {
    const published = new Map(meetingIds.map((meetingId) => [meetingId, this.#progress.get(meetingId) ?? 0]));
    const delivered = new Map(meetingIds.map((meetingId) => [meetingId, this.#last(meetingId)]));
    return this.#condition.until(() =>
      meetingIds.every(
        (meetingId) =>
          (this.#progress.get(meetingId) ?? 0) > (published.get(meetingId) ?? 0) + 1 &&
          this.#last(meetingId) > Math.max(delivered.get(meetingId) ?? 0, published.get(meetingId) ?? 0),
      ),
    );
  }

  /**
   * Ends the writers, waits until all that is stored was delivered, and checks how. `lossless`: under a fault that costs no server its
   * data, so that all that was acknowledged must be stored.
   */
  async finish({ lossless = false } = {}): Promise<void> {
    this.#running = false;
    await this.#writers;
    const stored = new Map<string, string[]>();
    for (const meetingId of this.meetingIds) stored.set(meetingId, await this.#stored(meetingId));
    if (lossless) {
      const all = new Set([...stored.values()].flat());
      const lost = [...this.#acknowledged].filter((requestId) => !all.has(requestId));
      expect(lost, "acknowledged and not stored").to.deep.equal([]);
    }
    const got = (meetingId: string) => new Set(this.requestIds(meetingId));
    await this.#condition.until(() =>
      this.meetingIds.every((meetingId) => {
        const delivered = got(meetingId);
        return stored.get(meetingId)?.every((requestId) => delivered.has(requestId));
      }),
    );
    await this.#subscription?.close();
    for (const meetingId of this.meetingIds) {
      const delivered = this.requestIds(meetingId);
      expect(delivered, `${meetingId}: none twice`).to.have.length(new Set(delivered).size);
      const of = new Set(stored.get(meetingId));
      expect(
        delivered.filter((requestId) => of.has(requestId)),
        `${meetingId}: all that is stored, in its order`,
      ).to.deep.equal(stored.get(meetingId));
    }
  }

  requestIds(meetingId: string): string[] {
    return (this.events.get(meetingId) ?? []).flatMap((event) => (event.kind === "signal" ? [event.requestId] : []));
  }

  #keep(event: SubscriptionEvent): void {
    const events = this.events.get(event.meetingId) ?? [];
    this.events.set(event.meetingId, events);
    events.push(event);
    this.#condition.changed();
  }

  /** The number of the meeting's last signal. */
  #last(meetingId: string): number {
    const event = this.events.get(meetingId)?.findLast(({ kind }) => kind === "signal");
    return event?.kind === "signal" ? Number(event.requestId.split("/")[1]) : 0;
  }

  async #write(meetingId: string): Promise<void> {
    for (let i = 1; this.#running; i += 1) {
      const requestId = `${meetingId}/${i}`;
      try {
        await this.opened.signals.publish(joined(meetingId, requestId));
        this.#acknowledged.add(requestId);
        this.#progress.set(meetingId, i);
      } catch {
        // Under faults some fail; what matters is what was stored.
      }
      this.#condition.changed();
      // The machine is shared: this many writers without a pause would leave nothing to the reader.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #stored(meetingId: string): Promise<string[]> {
    const requestIds: string[] = [];
    for (let after = "0-0"; ; ) {
      const page = await this.opened.signals.read(meetingId, { after, count: 10_000 });
      if (page.length === 0) return requestIds;
      requestIds.push(...page.flatMap((entry) => (entry.kind === "signal" ? [entry.requestId] : [])));
      after = page.at(-1)?.id ?? after;
    }
  }
}
