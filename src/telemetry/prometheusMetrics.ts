import type { MetricObjectWithValues, MetricValueWithName } from "prom-client";
import { GaugeReaders } from "./gaugeReaders.js";
import {
  type Counter,
  type Gauge,
  type Histogram,
  type MetricDefinition,
  prometheusLabel,
  prometheusName,
} from "./metrics.js";
import { Distribution, SeriesTable, Sum } from "./series.js";
import type { Attributes, GaugeReader, Recorders } from "./telemetry.js";

type Value = MetricValueWithName<string>;
type Shown = MetricObjectWithValues<Value>;
type Labels = Readonly<Record<string, string>>;

/**
 * What a register of prom-client holds. prom-client's own classes make a key of the labels at each event, which is a tenth of a publish;
 * these keep what is counted by themselves, and the register writes it.
 */
abstract class PrometheusMetric {
  /** The register changes it where it writes OpenMetrics. */
  name: string;
  readonly help: string;
  abstract readonly type: string;
  /** How a register of several processes takes their values together. */
  readonly aggregator: Gauge["together"] = "sum";

  constructor(definition: MetricDefinition) {
    this.name = prometheusName(definition);
    this.help = definition.description;
  }

  async get(): Promise<Shown> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: await this.values() } as unknown as Shown;
  }

  /** prom-client's `resetMetrics()`. */
  abstract reset(): void;
  protected abstract values(): Value[] | Promise<Value[]>;
}

export class CounterMetric extends PrometheusMetric {
  readonly type = "counter";
  readonly #table;

  constructor(definition: Counter) {
    super(definition);
    this.#table = new SeriesTable(definition.attributes, () => new Sum());
    // From the start, so that the first event shows as an increase.
    if (definition.attributes.length === 0) this.#table.of({});
  }

  readonly recorders: Recorders = (attributes) => this.#table.of(attributes).record;

  reset(): void {
    for (const { state } of this.#table.all) state.reset();
  }

  protected values(): Value[] {
    return this.#table.all.map(({ attributes, state }) => ({ labels: labelsOf(attributes), value: state.value }));
  }
}

export class HistogramMetric extends PrometheusMetric {
  readonly type = "histogram";
  readonly #table;
  readonly #bounds: readonly number[];

  constructor(definition: Histogram) {
    super(definition);
    this.#bounds = definition.buckets;
    this.#table = new SeriesTable(definition.attributes, () => new Distribution(definition.buckets));
  }

  readonly recorders: Recorders = (attributes) => this.#table.of(attributes).record;

  reset(): void {
    for (const { state } of this.#table.all) state.reset();
  }

  protected values(): Value[] {
    const recorded = this.#table.all.filter(({ state }) => state.count > 0);
    return recorded.flatMap(({ attributes, state }) => this.#valuesOf(labelsOf(attributes), state));
  }

  #valuesOf(labels: Labels, { counts, sum, count }: Distribution): Value[] {
    let below = 0;
    const buckets = counts.map((inBucket, place) => {
      below += inBucket;
      const le = this.#bounds[place] ?? "+Inf";
      return { metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: below };
    });
    const sums = { metricName: `${this.name}_sum`, labels, value: sum };
    return [...buckets, sums, { metricName: `${this.name}_count`, labels, value: count }];
  }
}

export class GaugeMetric extends PrometheusMetric {
  readonly type = "gauge";
  override readonly aggregator: Gauge["together"];
  readonly #readers: GaugeReaders;

  constructor(definition: Gauge) {
    super(definition);
    this.aggregator = definition.together;
    this.#readers = new GaugeReaders(definition);
  }

  add(read: GaugeReader): () => void {
    return this.#readers.add(read);
  }

  /** Gauges keep nothing. */
  reset(): void {}

  protected async values(): Promise<Value[]> {
    const samples = await this.#readers.samples();
    return samples.map(({ attributes, state }) => ({ labels: labelsOf(attributes), value: state.value }));
  }
}

function labelsOf(attributes: Attributes): Labels {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [prometheusLabel(name), value]));
}
