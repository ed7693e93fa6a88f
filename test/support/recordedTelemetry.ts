import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { Instruments } from "../../src/telemetry/instruments.js";
import type { Gauge, MetricDefinition } from "../../src/telemetry/metrics.js";
import type {
  Attributes,
  GaugeReader,
  Recorders,
  SpanOptions,
  Telemetry,
  Tracer,
} from "../../src/telemetry/telemetry.js";
import { Condition } from "./condition.js";

export interface RecordedSpan extends SpanOptions {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  /** What its work failed with. */
  error?: unknown;
}

interface Recorded {
  readonly metric: MetricDefinition;
  readonly value: number;
  readonly attributes: Attributes;
}

/** Keeps metrics and spans, so that a test can look at them. Refuses an attribute that the metric does not declare. */
export class RecordedTelemetry implements Telemetry {
  readonly records: Recorded[] = [];
  readonly gauges = new Map<Gauge, Set<GaugeReader>>();
  /** Those that have ended. */
  readonly spans: RecordedSpan[] = [];
  /** Whether spans that begin are recorded, so that their context is handed on. */
  sampled = true;
  readonly #active = new AsyncLocalStorage<RecordedSpan>();
  readonly #condition = new Condition();

  readonly metrics = {
    counter: (metric: MetricDefinition) => this.#recorders(metric),
    histogram: (metric: MetricDefinition) => this.#recorders(metric),
    gauge: (metric: Gauge, read: GaugeReader) => {
      const readers = this.gauges.get(metric) ?? new Set();
      this.gauges.set(metric, readers.add(read));
      return () => void readers.delete(read);
    },
  };

  readonly tracer: Tracer = {
    span: (name, options, work) => this.#span(name, options, work),
    traceparent: () => {
      const span = this.#active.getStore();
      return span && this.sampled ? traceparentOf(span) : undefined;
    },
  };

  instruments(): Instruments {
    return new Instruments([this]);
  }

  /** The sum of a counter, or how often a histogram was told, with at least these attributes. */
  total(metric: MetricDefinition, attributes: Attributes = {}): number {
    const of = this.records.filter((record) => record.metric === metric && has(record.attributes, attributes));
    return of.reduce((sum, { value }) => sum + (metric.kind === "counter" ? value : 1), 0);
  }

  /** What a gauge shows now, its readers and attributes together. */
  async shown(metric: Gauge): Promise<number> {
    const samples = await Promise.all([...(this.gauges.get(metric) ?? [])].map((read) => read()));
    return samples.flat().reduce((sum, { value }) => sum + value, 0);
  }

  spansNamed(name: string): RecordedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Resolves as soon as `isSo`, asked after each record and each span. */
  until(isSo: () => boolean): Promise<void> {
    return this.#condition.until(isSo);
  }

  /** All that was recorded, as text. */
  async text(): Promise<string> {
    const shown = await Promise.all([...this.gauges.values()].flatMap((readers) => [...readers].map((read) => read())));
    return JSON.stringify([this.records, shown, this.spans.map(({ error: _, ...span }) => span)]);
  }

  #recorders(metric: MetricDefinition): Recorders {
    return (attributes) => (value) => {
      const foreign = Object.keys(attributes).filter((key) => !metric.attributes.includes(key));
      if (foreign.length > 0 || !Number.isFinite(value))
        // Uncaught, so that the test fails: what a backend throws is of no consequence to the work.
        queueMicrotask(() => {
          throw new Error(`${metric.name}: ${foreign} ${value}`);
        });
      this.records.push({ metric, value, attributes });
      this.#changed();
    };
  }

  async #span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
    const parent = options.root ? undefined : this.#active.getStore();
    const traceId = parent?.traceId ?? randomBytes(16).toString("hex");
    const spanId = randomBytes(8).toString("hex");
    const span: RecordedSpan = { ...options, name, traceId, spanId, parentId: parent?.spanId };
    try {
      return await this.#active.run(span, work);
    } catch (error) {
      span.error = error;
      throw error;
    } finally {
      this.spans.push(span);
      this.#changed();
    }
  }

  #changed(): void {
    this.#condition.changed();
  }
}

export function traceparentOf({ traceId, spanId }: Pick<RecordedSpan, "traceId" | "spanId">): string {
  return `00-${traceId}-${spanId}-01`;
}

function has(attributes: Attributes, wanted: Attributes): boolean {
  return Object.entries(wanted).every(([key, value]) => attributes[key] === value);
}
