import { type Counter, type Gauge, type Histogram, METRICS } from "./metrics.js";
import type {
  Attributes,
  GaugeReader,
  MetricsBackend,
  Recorder,
  Recorders,
  SpanOptions,
  Telemetry,
  Tracer,
} from "./telemetry.js";

/** One container's metrics and spans. With nothing to give them to every call is next to nothing. */
export class Instruments {
  /** Whether anybody wants metrics: what costs something to find out is found out only then. */
  readonly measuring: boolean;
  /** undefined: nobody wants spans. */
  readonly tracer: Tracer | undefined;
  readonly #recorders = new Map<Counter | Histogram, readonly Recorders[]>();
  readonly #backends: readonly MetricsBackend[];
  readonly #gauges = new Set<() => void>();

  constructor(telemetry: readonly Telemetry[] = []) {
    this.#backends = telemetry.flatMap(({ metrics }) => metrics ?? []);
    this.measuring = this.#backends.length > 0;
    this.tracer = telemetry.find(({ tracer }) => tracer)?.tracer;
    if (!this.measuring) return;
    for (const metric of Object.values(METRICS)) {
      if (metric.kind === "counter")
        this.#recorders.set(
          metric,
          this.#backends.map((to) => to.counter(metric)),
        );
      if (metric.kind === "histogram")
        this.#recorders.set(
          metric,
          this.#backends.map((to) => to.histogram(metric)),
        );
    }
  }

  /** What records events of these attributes: for those that are so frequent that to look it up each time would be felt. */
  recorder(metric: Counter | Histogram, attributes: Attributes): Recorder {
    const recorders = (this.#recorders.get(metric) ?? []).map((of) => guarded(of, attributes));
    if (recorders.length === 1) return recorders[0] as Recorder;
    return (value) => {
      for (const record of recorders) record(value);
    };
  }

  count(metric: Counter, attributes: Attributes = NONE, by = 1): void {
    this.#record(metric, by, attributes);
  }

  /** Of durations: in seconds. */
  record(metric: Histogram, value: number, attributes: Attributes = NONE): void {
    this.#record(metric, value, attributes);
  }

  /** The function returned takes it off; `close` does so for all. */
  gauge(metric: Gauge, read: GaugeReader): () => void {
    const removals = this.#backends.map((to) => to.gauge(metric, read));
    const remove = () => {
      this.#gauges.delete(remove);
      for (const one of removals) one();
    };
    this.#gauges.add(remove);
    return remove;
  }

  /** Runs `work` in a span, if anybody wants spans. */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
    return this.tracer ? this.tracer.span(name, options, work) : work();
  }

  /** Takes off every gauge. */
  close(): void {
    for (const remove of this.#gauges) remove();
  }

  #record(metric: Counter | Histogram, value: number, attributes: Attributes): void {
    if (!this.measuring) return;
    for (const of of this.#recorders.get(metric) ?? []) guarded(of, attributes)(value);
  }
}

/** A backend that throws loses what it was to record: the work that is measured goes on, and other backends hear of it. */
function guarded(recorders: Recorders, attributes: Attributes): Recorder {
  let record: Recorder | undefined;
  return (value) => {
    try {
      record ??= recorders(attributes);
      record(value);
    } catch {
      // Nobody is there to tell.
    }
  };
}

const NONE: Attributes = Object.freeze({});

/** For what is made outside of a container. */
export const NO_INSTRUMENTS = new Instruments();
