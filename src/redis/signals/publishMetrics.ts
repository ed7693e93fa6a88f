import { PublishUnknownError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Recorder } from "../../telemetry/telemetry.js";
import type { PublishedSignal, PublishOutcome } from "./publisher.js";
import { isSignalType } from "./schemas.js";
import type { Signal } from "./types.js";

type Outcome = "stored" | "duplicate" | "not-stored" | "unknown";

/** Counts signals by what became of them, and takes the time of the calls that publish them. `startedAt` is by `performance.now()`. */
export class PublishMetrics {
  readonly #counts: Readonly<Record<Outcome, Map<string, Recorder>>> = {
    stored: new Map(),
    duplicate: new Map(),
    "not-stored": new Map(),
    unknown: new Map(),
  };
  readonly #one: Recorder;
  readonly #many: Recorder;

  constructor(private readonly instruments: Instruments) {
    this.#one = instruments.recorder(METRICS.publishDuration, { operation: "publish" });
    this.#many = instruments.recorder(METRICS.publishDuration, { operation: "publishMany" });
  }

  stored(signal: Signal, { duplicate }: PublishedSignal, startedAt: number): void {
    this.#count(signal, duplicate ? "duplicate" : "stored");
    this.#one(secondsSince(startedAt));
  }

  failed(signal: Signal, error: unknown, startedAt: number): void {
    this.#count(signal, error instanceof PublishUnknownError ? "unknown" : "not-stored");
    this.#one(secondsSince(startedAt));
  }

  /** `outcomes`: in the order of the signals. */
  many(signals: readonly Signal[], outcomes: readonly PublishOutcome[], startedAt: number): void {
    for (const [index, outcome] of outcomes.entries()) {
      const repeated = outcome.status === "stored" && outcome.duplicate;
      this.#count(signals[index], repeated ? "duplicate" : outcome.status);
    }
    this.#many(secondsSince(startedAt));
  }

  /** What was refused need not be a signal. */
  #count(signal: Signal | null | undefined, outcome: Outcome): void {
    const type = isSignalType(signal?.type) ? signal.type : "other";
    (this.#counts[outcome].get(type) ?? this.#newCount(type, outcome))(1);
  }

  #newCount(type: string, outcome: Outcome): Recorder {
    const count = this.instruments.recorder(METRICS.signalsPublished, { type, outcome });
    this.#counts[outcome].set(type, count);
    return count;
  }
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1_000;
}
