import { PublishUnknownError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Attributes } from "../../telemetry/telemetry.js";
import type { PublishedSignal, PublishOutcome } from "./publisher.js";
import { isSignalType, SIGNAL_TYPES } from "./schemas.js";
import type { Signal } from "./types.js";

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

/** Counts signals by what became of them, and takes the time of the calls that publish them. `startedAt` is by `performance.now()`. */
export class PublishMetrics {
  constructor(private readonly instruments: Instruments) {}

  stored(signal: Signal, { duplicate }: PublishedSignal, startedAt: number): void {
    this.#one(signal, duplicate ? "duplicate" : "stored", startedAt);
  }

  failed(signal: Signal, error: unknown, startedAt: number): void {
    this.#one(signal, error instanceof PublishUnknownError ? "unknown" : "not-stored", startedAt);
  }

  /** `outcomes`: in the order of the signals. */
  many(signals: readonly Signal[], outcomes: readonly PublishOutcome[], startedAt: number): void {
    const counts = new Map<Attributes, number>();
    for (const [index, outcome] of outcomes.entries()) {
      const repeated = outcome.status === "stored" && outcome.duplicate;
      const attributes = attributesOf(signals[index], repeated ? "duplicate" : outcome.status);
      counts.set(attributes, (counts.get(attributes) ?? 0) + 1);
    }
    for (const [attributes, count] of counts) this.instruments.count(METRICS.signalsPublished, attributes, count);
    this.#took(startedAt, MANY);
  }

  #one(signal: Signal, outcome: Outcome, startedAt: number): void {
    this.instruments.count(METRICS.signalsPublished, attributesOf(signal, outcome));
    this.#took(startedAt, ONE);
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
