import type { SignalEvent, UnrecognisedEvent } from "../../../src/redis/signals/events.js";
import type { Delivery } from "../../../src/redis/signals/groups/consumeInput.js";
import { Condition } from "../../support/condition.js";

type Event = SignalEvent | UnrecognisedEvent;

/** A handler that keeps what it gets, and then does what the test wants. */
export class Consumed {
  readonly calls: { readonly event: Event; readonly delivery: Delivery }[] = [];
  readonly #condition = new Condition();

  constructor(private readonly act: (event: Event, delivery: Delivery) => unknown = () => undefined) {}

  readonly handler = async (event: Event, delivery: Delivery): Promise<void> => {
    this.calls.push({ event, delivery });
    this.#condition.changed();
    await this.act(event, delivery);
  };

  /** Of one meeting or of all; of entries that are no signals their kind. */
  requestIds(meetingId?: string): string[] {
    return this.calls
      .filter(({ event }) => meetingId === undefined || event.meetingId === meetingId)
      .map(({ event }) => (event.kind === "signal" ? event.requestId : event.kind));
  }

  get deliveries(): number[] {
    return this.calls.map(({ delivery }) => delivery.deliveries);
  }

  /** Resolves when the handler was called so often. */
  until(calls: number): Promise<void> {
    return this.#condition.until(() => this.calls.length >= calls);
  }
}

/** A promise to be settled by the test. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
