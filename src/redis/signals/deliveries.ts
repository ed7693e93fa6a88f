import type { RedisConfig } from "../../config/types.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Attributes, SpanOptions } from "../../telemetry/telemetry.js";
import { aboutMeeting, placeOf } from "../telemetry/traced.js";
import type { SubscriptionEvent } from "./events.js";
import { SIGNAL_TYPES } from "./schemas.js";

/** By what a metric calls the event's type. */
const ATTRIBUTES = new Map<string, Attributes>(
  [...SIGNAL_TYPES, "unrecognised", "resync"].map((type) => [type, { type }]),
);

/** What is measured and traced of events on their way to subscribers and consumers. */
export class Deliveries {
  readonly #instruments: Instruments;
  readonly #place: SpanOptions["attributes"];

  constructor(instruments: Instruments, config: RedisConfig) {
    this.#instruments = instruments;
    this.#place = placeOf(config);
  }

  /** A subscriber or a consumer is given the event. */
  given(event: SubscriptionEvent): void {
    if (this.#instruments.measuring) this.#instruments.count(METRICS.signalsReceived, ATTRIBUTES.get(typeOf(event)));
  }

  /** A consumer has given an entry up. */
  gaveUp(): void {
    this.#instruments.count(METRICS.deadLetters);
  }

  /**
   * Calls `handler` with the event; where somebody wants spans, in one of its own trace that is linked to the publisher's: one publisher
   * has many subscribers, and what runs here would otherwise stand under whoever opened the connection.
   */
  handle<E extends SubscriptionEvent>(event: E, handler: (event: E) => unknown, group?: string): unknown {
    const { tracer } = this.#instruments;
    if (!tracer) return handler(event);
    const linkedTo = event.kind === "signal" ? event.traceparent : undefined;
    const attributes = {
      ...this.#place,
      ...aboutMeeting(event.meetingId),
      "messaging.system": "redis",
      "messaging.operation.type": "process",
      "doordarshan.signal.type": typeOf(event),
      ...(group !== undefined && { "messaging.consumer.group.name": group }),
    };
    const options: SpanOptions = { kind: "consumer", root: true, linkedTo, attributes };
    return tracer.span("signals.handle", options, async () => handler(event));
  }
}

function typeOf(event: SubscriptionEvent): string {
  return event.kind === "signal" ? event.type : event.kind;
}
