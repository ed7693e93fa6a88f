import type { Histogram } from "./metrics.js";
import { SCOPE } from "./scope.js";
import { Distribution, type Series, SeriesTable } from "./series.js";
import type { Attributes, Recorders } from "./telemetry.js";

/** Of OpenTelemetry's SDK, whose package may not be there: `DataPointType.HISTOGRAM`, `AggregationTemporality.CUMULATIVE`, `ValueType.DOUBLE`. */
const [HISTOGRAM, CUMULATIVE, DOUBLE] = [0, 1, 1] as const;

type HrTime = [seconds: number, nanoseconds: number];

interface HistogramPoint {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly value: {
    readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
    readonly sum: number;
    readonly count: number;
  };
}

interface HistogramData {
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    readonly valueType: typeof DOUBLE;
  };
  readonly dataPointType: typeof HISTOGRAM;
  readonly aggregationTemporality: typeof CUMULATIVE;
  readonly dataPoints: HistogramPoint[];
}

/** A reader takes its own. */
interface NoResource {
  readonly attributes: Record<string, never>;
  merge(other: NoResource | null): NoResource;
  getRawAttributes(): [];
}
const NO_RESOURCE: NoResource = { attributes: {}, merge: (other) => other ?? NO_RESOURCE, getRawAttributes: () => [] };

/** A `MetricProducer` of OpenTelemetry's SDK that has the histograms of containers. */
export interface HistogramProducer {
  /** What a metric reader calls whenever it collects. */
  collect(): Promise<{
    resourceMetrics: {
      resource: NoResource;
      scopeMetrics: { scope: { readonly name: string; readonly version: string }; metrics: HistogramData[] }[];
    };
    errors: unknown[];
  }>;
  /** What records the values of one histogram. */
  recorders(metric: Histogram): Recorders;
}

/**
 * Keeps histograms itself, since the SDK makes a key of a value's attributes each time it records one. Give it to a metric reader as one
 * of its `metricProducers`, and to `openTelemetry` as `histograms`. The values are cumulative, and the SDK's views do not apply.
 */
export function histogramProducer(): HistogramProducer {
  const startTime = now();
  const tables = new Map<Histogram, SeriesTable<Distribution>>();
  return {
    recorders(metric) {
      const table = tables.get(metric) ?? new SeriesTable(metric.attributes, () => new Distribution(metric.buckets));
      tables.set(metric, table);
      return (attributes) => table.of(attributes).record;
    },
    async collect() {
      const endTime = now();
      const metrics = [...tables]
        .map(([metric, { all }]) => dataOf(metric, all, { startTime, endTime }))
        .filter(({ dataPoints }) => dataPoints.length > 0);
      // A reader that has no scope to export exports nothing.
      const scopeMetrics = metrics.length > 0 ? [{ scope: SCOPE, metrics }] : [];
      return { resourceMetrics: { resource: NO_RESOURCE, scopeMetrics }, errors: [] };
    },
  };
}

function dataOf(
  { name, description, unit, buckets }: Histogram,
  all: readonly Series<Distribution>[],
  times: Pick<HistogramPoint, "startTime" | "endTime">,
): HistogramData {
  const recorded = all.filter(({ state }) => state.count > 0);
  return {
    descriptor: { name, description, unit, valueType: DOUBLE },
    dataPointType: HISTOGRAM,
    aggregationTemporality: CUMULATIVE,
    dataPoints: recorded.map(({ attributes, state: { sum, count, counts } }) => ({
      ...times,
      attributes,
      // Copies: a reader may keep them.
      value: { buckets: { boundaries: [...buckets], counts: [...counts] }, sum, count },
    })),
  };
}

function now(): HrTime {
  const ms = Date.now();
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
}
