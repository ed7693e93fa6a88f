import { metrics as globalMetrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  MetricReader,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect } from "chai";
import packageJson from "../../../package.json" with { type: "json" };
import { Instruments } from "../../../src/telemetry/instruments.js";
import { METRICS } from "../../../src/telemetry/metrics.js";
import { histogramProducer, openTelemetry } from "../../../src/telemetry/openTelemetry.js";

/** Collects when it is told to. */
class PullReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

describe("openTelemetry()'s metrics", () => {
  let reader: PullReader;
  let meterProvider: MeterProvider;
  let instruments: Instruments;
  beforeEach(() => {
    reader = new PullReader();
    meterProvider = new MeterProvider({ readers: [reader] });
    instruments = new Instruments([openTelemetry({ meterProvider })]);
  });
  afterEach(() => meterProvider.shutdown());

  const metric = async (name: string): Promise<MetricData> => {
    const { resourceMetrics }: CollectionResult = await reader.collect();
    const found = resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .filter(({ descriptor }) => descriptor.name === name);
    expect(found, name).to.have.length(1);
    return found[0] as MetricData;
  };
  const pointsOf = async (name: string) =>
    (await metric(name)).dataPoints.map(({ attributes, value }) => ({ attributes, value }));

  it("are in the scope of this package and its version", async () => {
    instruments.count(METRICS.deadLetters);
    const { resourceMetrics } = await reader.collect();
    expect(resourceMetrics.scopeMetrics.map(({ scope }) => [scope.name, scope.version])).to.deep.equal([
      ["doordarshan-data", packageJson.version],
    ]);
  });

  it("have each instrument of the table, under its name and with its unit", async () => {
    for (const definition of Object.values(METRICS)) {
      if (definition.kind === "counter") instruments.count(definition);
      if (definition.kind === "histogram") instruments.record(definition, 0.001);
      if (definition.kind === "gauge") instruments.gauge(definition, () => [{ value: 1 }]);
    }
    const { resourceMetrics } = await reader.collect();
    const told = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    expect(
      told.map(({ descriptor: { name, unit, description } }) => ({ name, unit, description })),
    ).to.have.deep.members(Object.values(METRICS).map(({ name, unit, description }) => ({ name, unit, description })));
  });

  it("count monotonically, with the attributes of the metric only", async () => {
    instruments.count(METRICS.transactions, { outcome: "committed", meetingId: "m1" });
    instruments.count(METRICS.transactions, { outcome: "committed" }, 2);
    instruments.count(METRICS.transactions, { outcome: "committed" }, -1);
    instruments.count(METRICS.transactions, { outcome: "committed" }, Number.NaN);
    const told = await metric("doordarshan.transactions");
    expect(told).to.include({
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    });
    const expected = [{ attributes: { outcome: "committed" }, value: 3 }];
    expect(told.dataPoints.map(({ attributes, value }) => ({ attributes, value }))).to.deep.equal(expected);
    expect(await pointsOf("doordarshan.transactions")).to.deep.equal(expected);
    expect(await pointsOf("doordarshan.signals.dead_letters")).to.deep.equal([{ attributes: {}, value: 0 }]);
  });

  it("have histograms with the advised buckets, and the attributes of the metric only", async () => {
    const attributes = { "db.system.name": "redis", "db.operation.name": "XADD" };
    for (const seconds of [0.000_2, 0.001, 60])
      instruments.record(METRICS.operationDuration, seconds, { ...attributes, sql: "x" });
    instruments.record(METRICS.operationDuration, Number.NaN, attributes);
    const { dataPoints } = (await metric("db.client.operation.duration")) as HistogramMetricData;
    expect(dataPoints).to.have.length(1);
    expect(dataPoints[0]?.attributes).to.deep.equal(attributes);
    expect(dataPoints[0]?.value.count).to.equal(3);
    const { boundaries, counts } = dataPoints[0]?.value.buckets ?? { boundaries: [], counts: [] };
    expect(boundaries).to.deep.equal(METRICS.operationDuration.buckets);
    expect(counts).to.deep.equal(
      ["first", ...boundaries].map((_, place) => Number([0, 2, boundaries.length].includes(place))),
    );
  });

  it("have the same histograms when a producer keeps them, all containers' in one", async () => {
    const histograms = histogramProducer();
    const producing = new PullReader({ metricProducers: [histograms] });
    const provider = new MeterProvider({ readers: [producing] });
    const containers = [1, 2].map(() => new Instruments([openTelemetry({ meterProvider: provider, histograms })]));
    const events: [seconds: number, attributes: Record<string, string>][] = [
      [0.000_2, { "db.system.name": "redis", "db.operation.name": "XADD" }],
      [0.001, { "db.system.name": "redis", "db.operation.name": "XADD", sql: "x" }],
      [60, { "db.system.name": "redis", "db.operation.name": "XADD" }],
      [Number.NaN, { "db.system.name": "redis", "db.operation.name": "XADD" }],
      [0.3, { "db.system.name": "mysql", "db.operation.name": "SELECT" }],
    ];
    const began = Date.now();
    for (const [place, [seconds, attributes]] of events.entries()) {
      instruments.record(METRICS.operationDuration, seconds, attributes);
      containers[place % 2]?.record(METRICS.operationDuration, seconds, attributes);
    }
    const histogramOf = async (from: PullReader) => {
      const { resourceMetrics, errors } = await from.collect();
      expect(errors).to.deep.equal([]);
      const told = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) =>
        metrics
          .filter(({ descriptor }) => descriptor.name === METRICS.operationDuration.name)
          .map((data) => ({ scope: [scope.name, scope.version], ...(data as HistogramMetricData) })),
      );
      expect(told).to.have.length(1);
      return told[0] as (typeof told)[number];
    };
    const comparable = async (from: PullReader) => {
      const { scope, descriptor, dataPointType, aggregationTemporality, dataPoints } = await histogramOf(from);
      const { name, description, unit, valueType } = descriptor;
      const points = dataPoints.map(({ attributes, value: { buckets, sum, count } }) => ({
        attributes,
        buckets,
        sum,
        count,
      }));
      return { scope, name, description, unit, valueType, dataPointType, aggregationTemporality, points };
    };
    try {
      expect(await comparable(producing)).to.deep.equal(await comparable(reader));
      containers[0]?.record(METRICS.operationDuration, 1, events[0]?.[1]);
      const [point] = (await histogramOf(producing)).dataPoints;
      expect(point?.value.count).to.equal(4);
      const [start, end] = [point?.startTime, point?.endTime].map(
        (time) => (time?.[0] ?? 0) * 1e3 + (time?.[1] ?? 0) / 1e6,
      );
      expect(start).to.be.within(began - 1_000, began);
      expect(end).to.be.within(began, Date.now());
    } finally {
      await provider.shutdown();
    }
  });

  it("are not in a producer that has none yet, so that the SDK exports nothing", async () => {
    const histograms = histogramProducer();
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const provider = new MeterProvider({
      readers: [new PeriodicExportingMetricReader({ exporter, metricProducers: [histograms] })],
    });
    await provider.forceFlush();
    expect(exporter.getMetrics()).to.deep.equal([]);
    histograms.recorders(METRICS.publishDuration)({ operation: "publish" })(1);
    await provider.forceFlush();
    expect(exporter.getMetrics()).to.have.length(1);
    await provider.shutdown();
  });

  it("are refused a producer where nobody takes metrics", () => {
    expect(() => openTelemetry({ meterProvider: false, histograms: histogramProducer() }))
      .to.throw(/histograms/)
      .with.property("code", "ErrInvalidInput");
  });

  it("are shared by the containers of a process: counters and gauges are summed", async () => {
    const second = new Instruments([openTelemetry({ meterProvider })]);
    instruments.count(METRICS.redisFailovers);
    second.count(METRICS.redisFailovers);
    const pool = { "db.client.connection.pool.name": "mysql" };
    const waiting = (value: number) => [{ value, attributes: { ...pool, containerId: "c1" } }];
    const remove = instruments.gauge(METRICS.connectionsWaiting, () => waiting(2));
    second.gauge(METRICS.connectionsWaiting, async () => waiting(3));
    expect(await pointsOf("doordarshan.redis.failovers")).to.deep.equal([{ attributes: {}, value: 2 }]);
    expect(await pointsOf("db.client.connection.pending_requests")).to.deep.equal([{ attributes: pool, value: 5 }]);
    remove();
    expect(await pointsOf("db.client.connection.pending_requests")).to.deep.equal([{ attributes: pool, value: 3 }]);
  });

  it("leave out a gauge that fails, and tell the others", async () => {
    instruments.gauge(METRICS.fleetContainers, () => Promise.reject(new Error("the database is away")));
    instruments.gauge(METRICS.redisInFlight, () => [{ value: 4 }]);
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).to.deep.equal([]);
    const told = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    expect(told.map(({ descriptor }) => descriptor.name)).not.to.include("doordarshan.fleet.containers");
    expect(await pointsOf("doordarshan.redis.commands.in_flight")).to.deep.equal([{ attributes: {}, value: 4 }]);
  });

  it("go to the SDK that is registered when the container is created", async () => {
    const telemetry = openTelemetry();
    globalMetrics.setGlobalMeterProvider(meterProvider);
    try {
      new Instruments([telemetry]).count(METRICS.deadLetters, {}, 3);
      expect(await pointsOf("doordarshan.signals.dead_letters")).to.deep.equal([{ attributes: {}, value: 3 }]);
    } finally {
      globalMetrics.disable();
    }
  });

  it("can be left to another backend, and so can spans", () => {
    expect(openTelemetry({ meterProvider: false }).metrics).to.equal(undefined);
    expect(openTelemetry({ meterProvider: false }).tracer).not.to.equal(undefined);
    expect(openTelemetry({ tracerProvider: false }).tracer).to.equal(undefined);
  });
});
