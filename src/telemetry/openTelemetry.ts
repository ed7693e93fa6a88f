import type { Meter, MeterProvider, TracerProvider } from "@opentelemetry/api";
import { InvalidInputError } from "../errors.js";
import { GaugeReaders } from "./gaugeReaders.js";
import type { HistogramProducer } from "./histogramProducer.js";
import type { Counter, Gauge, Histogram, MetricDefinition } from "./metrics.js";
import { createTracer } from "./openTelemetryTracer.js";
import { requirePackage } from "./optionalPackage.js";
import { SCOPE } from "./scope.js";
import { isMeasurement, SeriesTable, Sum } from "./series.js";
import type { GaugeReader, MetricsBackend, Recorder, Recorders, Telemetry } from "./telemetry.js";

const api = requirePackage<typeof import("@opentelemetry/api")>("@opentelemetry/api", "doordarshan-data/opentelemetry");

export { type HistogramProducer, histogramProducer } from "./histogramProducer.js";

export interface OpenTelemetryOptions {
  /** Who takes the metrics; false: nobody. Default: the process's own, as registered when a container is created. */
  readonly meterProvider?: MeterProvider | false;
  /** Who takes the histograms in the provider's place, at a small part of what recording costs there. Default: nobody. */
  readonly histograms?: HistogramProducer;
  /** Who takes the spans; false: nobody. Default: the process's own. */
  readonly tracerProvider?: TracerProvider | false;
}

/**
 * Metrics and spans for OpenTelemetry, through its API: the service brings the SDK. Register that before the first container is created.
 * Instruments and spans have this package's name and version as their scope. Names and attributes are in docs/metrics.md.
 * @throws InvalidInputError for `histograms` without metrics
 */
export function openTelemetry({ meterProvider, histograms, tracerProvider }: OpenTelemetryOptions = {}): Telemetry {
  if (meterProvider === false && histograms)
    throw new InvalidInputError(
      "histograms",
      "are metrics, which meterProvider: false takes away; leave out one of the two",
    );
  const provider = () => meterProvider || api.metrics.getMeterProvider();
  return {
    ...(meterProvider !== false && { metrics: metricsTo(provider, histograms) }),
    ...(tracerProvider !== false && {
      tracer: createTracer(api, (tracerProvider ?? api.trace).getTracer(SCOPE.name, SCOPE.version)),
    }),
  };
}

/** `provider` is asked late: the API does not hand on instruments made before an SDK was registered. */
function metricsTo(provider: () => MeterProvider, histograms: HistogramProducer | undefined): MetricsBackend {
  return {
    counter: (metric) => sharedBy(provider(), metric, counterOf),
    histogram: (metric) => histograms?.recorders(metric) ?? sharedBy(provider(), metric, histogramOf),
    gauge: (metric, read: GaugeReader) => sharedBy(provider(), metric, gaugeOf).add(read),
  };
}

/** Containers of one provider share instruments: it would take observations of two with the same attributes for one. */
const instruments = new WeakMap<MeterProvider, Map<string, unknown>>();

function sharedBy<D extends MetricDefinition, I>(
  provider: MeterProvider,
  metric: D,
  make: (meter: Meter, metric: D) => I,
): I {
  const known = instruments.get(provider) ?? new Map<string, unknown>();
  instruments.set(provider, known);
  if (!known.has(metric.name)) known.set(metric.name, make(provider.getMeter(SCOPE.name, SCOPE.version), metric));
  return known.get(metric.name) as I;
}

/** Counted here and told when the SDK collects, since recording costs it some microseconds each time. */
function counterOf(meter: Meter, metric: Counter): Recorders {
  const table = new SeriesTable(metric.attributes, () => new Sum());
  if (metric.attributes.length === 0) table.of({});
  meter.createObservableCounter(metric.name, descriptionOf(metric)).addCallback((result) => {
    for (const { attributes, state } of table.all) result.observe(state.value, attributes);
  });
  return (attributes) => table.of(attributes).record;
}

/** The API has no histogram that is told when it is collected, and the SDK's takes up to a microsecond to record a value. */
function histogramOf(meter: Meter, metric: Histogram): Recorders {
  const advice = { explicitBucketBoundaries: [...metric.buckets] };
  const histogram = meter.createHistogram(metric.name, { ...descriptionOf(metric), advice });
  // So that it is given attributes of the metric only, and no more series than we would keep.
  const table = new SeriesTable(
    metric.attributes,
    (attributes): Recorder =>
      (value) => {
        if (isMeasurement(value)) histogram.record(value, attributes);
      },
  );
  return (attributes) => table.of(attributes);
}

function gaugeOf(meter: Meter, metric: Gauge): GaugeReaders {
  const readers = new GaugeReaders(metric);
  meter.createObservableGauge(metric.name, descriptionOf(metric)).addCallback(async (result) => {
    for (const { attributes, state } of await readers.samples()) result.observe(state.value, attributes);
  });
  return readers;
}

function descriptionOf({ description, unit }: MetricDefinition) {
  return { description, unit };
}
