import { PublishUnknownError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Attributes } from "../../telemetry/telemetry.js";
import type { PublishedSignal, PublishOptions, PublishOutcome } from "./publisher.js";
import { isSignalType, SIGNAL_TYPES } from "./schemas.js";
import type { Signal } from "./types.js";

/** The ways to publish. */
export interface Publishing {
  publish(signal: Signal, options?: PublishOptions): Promise<PublishedSignal>;
  publishMany(signals: readonly Signal[], options?: PublishOptions): Promise<PublishOutcome[]>;
}

/** `publisher` with its signals counted by what became of them, and its calls' time taken; itself where nobody measures. */
export function measured(publisher: Publishing, instruments: Instruments): Publishing {
  return instruments.measuring ? new MeasuredPublishing(publisher, instruments) : publisher;
}

type Outcome = "stored" | "duplicate" | "not-stored" | "unknown";

/** Attributes by type and outcome, made once: a new object for each signal would cost as much as counting it. */
const COUNTED = new Map<string, Readonly<Record<Outcome, Attributes>>>(
  [...SIGNAL_TYPES, "other"].map((type) => [
    type,
    {
      stored: { type, outcome: "stored" },
      duplicate: { type, outcome: "duplicate" },
      "not-stored": { type, outcome: "not-stored" },
      unknown: { type, outcome: "unknown" },
    },
  ]),
);
const ONE: Attributes = { operation: "publish" };
const MANY: Attributes = { operation: "publishMany" };

class MeasuredPublishing implements Publishing {
  constructor(
    private readonly publisher: Publishing,
    private readonly instruments: Instruments,
  ) {}

  // Not async: each promise more would be felt.
  publish(signal: Signal, options?: PublishOptions): Promise<PublishedSignal> {
    const startedAt = performance.now();
    const over = (outcome: Outcome) => {
      this.instruments.count(METRICS.signalsPublished, attributesOf(signal, outcome));
      this.#took(startedAt, ONE);
    };
    const published = this.publisher.publish(signal, options);
    void published.then(
      ({ duplicate }) => over(duplicate ? "duplicate" : "stored"),
      (error: unknown) => over(error instanceof PublishUnknownError ? "unknown" : "not-stored"),
    );
    return published;
  }

  async publishMany(signals: readonly Signal[], options?: PublishOptions): Promise<PublishOutcome[]> {
    const startedAt = performance.now();
    const outcomes = await this.publisher.publishMany(signals, options);
    const counts = new Map<Attributes, number>();
    for (const [index, outcome] of outcomes.entries()) {
      const repeated = outcome.status === "stored" && outcome.duplicate;
      const attributes = attributesOf(signals[index], repeated ? "duplicate" : outcome.status);
      counts.set(attributes, (counts.get(attributes) ?? 0) + 1);
    }
    for (const [attributes, count] of counts) this.instruments.count(METRICS.signalsPublished, attributes, count);
    this.#took(startedAt, MANY);
    return outcomes;
  }

  #took(startedAt: number, attributes: Attributes): void {
    this.instruments.record(METRICS.publishDuration, (performance.now() - startedAt) / 1_000, attributes);
  }
}

/** What was refused need not be a signal. */
function attributesOf(signal: Signal | null | undefined, outcome: Outcome): Attributes {
  const type = isSignalType(signal?.type) ? signal.type : "other";
  return COUNTED.get(type)?.[outcome] ?? { type, outcome };
}
