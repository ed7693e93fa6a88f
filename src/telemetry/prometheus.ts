import type { Metric, Registry } from "prom-client";
import { InvalidInputError } from "../errors.js";
import { type Counter, type Gauge, type Histogram, type MetricDefinition, prometheusName } from "./metrics.js";
import { requirePackage } from "./optionalPackage.js";
import { CounterMetric, GaugeMetric, HistogramMetric } from "./prometheusMetrics.js";
import type { GaugeReader, MetricsBackend, Telemetry } from "./telemetry.js";

const promClient = requirePackage<typeof import("prom-client")>("prom-client", "doordarshan-data/prometheus");

export interface PrometheusOptions {
  /** Where the metrics are put; several containers may share one. Default: prom-client's own, in which a service's other metrics are. */
  readonly register?: Registry;
}

export interface Prometheus extends Telemetry {
  readonly metrics: MetricsBackend;
  /** Of `text()`, for the answer's header. */
  readonly contentType: string;
  /** All that is in the register. A gauge that is not read within two seconds is left out. */
  text(): Promise<string>;
}

/**
 * Metrics for Prometheus, through prom-client. Answer your metrics endpoint with `text()`, or with the register's own `metrics()`.
 * Names and labels are in docs/metrics.md.
 * @throws InvalidInputError when a container is created and somebody else's metric has one of the names
 */
export function prometheus({ register = promClient.register }: PrometheusOptions = {}): Prometheus {
  return {
    metrics: {
      counter: (metric: Counter) => registered(register, metric, CounterMetric).recorders,
      histogram: (metric: Histogram) => registered(register, metric, HistogramMetric).recorders,
      gauge: (metric: Gauge, read: GaugeReader) => registered(register, metric, GaugeMetric).add(read),
    },
    get contentType() {
      return register.contentType;
    },
    text: () => register.metrics(),
  };
}

/** The register's metric of this name, which another container may have put there. */
function registered<D extends MetricDefinition, M extends object>(
  register: Registry,
  definition: D,
  Kind: new (definition: D) => M,
): M {
  const name = prometheusName(definition);
  const known: unknown = register.getSingleMetric(name);
  if (known instanceof Kind) return known;
  if (known) throw new InvalidInputError("register", `has another metric named ${name}: pass a register without it`);
  const made = new Kind(definition);
  // A register asks no more of its metrics than what these have; its type names prom-client's own classes.
  register.registerMetric(made as unknown as Metric<string>);
  return made;
}
