import type { Counter, Gauge, Histogram } from "./metrics.js";

/** Keys are among the metric's attributes; one that does not apply is left out. */
export type Attributes = Readonly<Record<string, string>>;

export type Recorder = (value: number) => void;

/** Gives what records events of these attributes; it may be kept, and used as often as there are any. */
export type Recorders = (attributes: Attributes) => Recorder;

export interface Sample {
  readonly value: number;
  readonly attributes?: Attributes;
}

/** What a gauge shows; asked for whenever metrics are collected. One that fails shows nothing. */
export type GaugeReader = () => readonly Sample[] | Promise<readonly Sample[]>;

/** Where metrics go: Prometheus, OpenTelemetry. */
export interface MetricsBackend {
  /** Called once for each metric of a container. */
  counter(metric: Counter): Recorders;
  histogram(metric: Histogram): Recorders;
  /** The function returned takes the gauge's reader off. Several containers may have the same gauge. */
  gauge(metric: Gauge, read: GaugeReader): () => void;
}

export interface SpanOptions {
  readonly kind: "client" | "producer" | "consumer" | "internal";
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Begins a trace of its own, whatever span is active. Default false. */
  readonly root?: boolean;
  /** A W3C `traceparent` to link to: the work of another process that this one goes on with. */
  readonly linkedTo?: string | undefined;
}

/** Where spans go. */
export interface Tracer {
  /** Runs `work` in a new span. It ends when the promise settles, as failed when that rejects (status and `error.type`, no message). */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
  /** The active span's W3C `traceparent`; undefined when there is none or it is not sampled. */
  traceparent(): string | undefined;
}

/** What a container's metrics and spans are given to. `prometheus()` and `openTelemetry()` make one. */
export interface Telemetry {
  readonly metrics?: MetricsBackend;
  readonly tracer?: Tracer;
}
