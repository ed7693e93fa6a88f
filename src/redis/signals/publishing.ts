import { PublishUnknownError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { PublishedSignal, PublishOptions, PublishOutcome } from "./publisher.js";
import { isSignalType } from "./schemas.js";
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

class MeasuredPublishing implements Publishing {
  constructor(
    private readonly publisher: Publishing,
    private readonly instruments: Instruments,
  ) {}

  async publish(signal: Signal, options?: PublishOptions): Promise<PublishedSignal> {
    const startedAt = performance.now();
    try {
      const published = await this.publisher.publish(signal, options);
      this.#count(signal, published.duplicate ? "duplicate" : "stored");
      return published;
    } catch (error) {
      this.#count(signal, error instanceof PublishUnknownError ? "unknown" : "not-stored");
      throw error;
    } finally {
      this.#took(startedAt, ONE);
    }
  }

  async publishMany(signals: readonly Signal[], options?: PublishOptions): Promise<PublishOutcome[]> {
    const startedAt = performance.now();
    const outcomes = await this.publisher.publishMany(signals, options);
    for (const [index, outcome] of outcomes.entries())
      this.#count(signals[index], outcome.status === "stored" && outcome.duplicate ? "duplicate" : outcome.status);
    this.#took(startedAt, MANY);
    return outcomes;
  }

  #took(startedAt: number, attributes: typeof ONE): void {
    this.instruments.record(METRICS.publishDuration, (performance.now() - startedAt) / 1_000, attributes);
  }

  /** What was refused need not be a signal. */
  #count(signal: Signal | null | undefined, outcome: Outcome): void {
    const type = isSignalType(signal?.type) ? signal.type : "other";
    this.instruments.count(METRICS.signalsPublished, { type, outcome });
  }
}

const ONE = { operation: "publish" };
const MANY = { operation: "publishMany" };
