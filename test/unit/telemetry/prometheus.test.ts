import { expect } from "chai";
import fc from "fast-check";
import { Counter, Registry, register as shared } from "prom-client";
import { InvalidInputError } from "../../../src/errors.js";
import { Instruments } from "../../../src/telemetry/instruments.js";
import { METRICS } from "../../../src/telemetry/metrics.js";
import { prometheus } from "../../../src/telemetry/prometheus.js";
import type { Sample } from "../../../src/telemetry/telemetry.js";

/** The lines of one metric, without those of help and type. */
async function linesOf(register: Registry, name: string): Promise<string[]> {
  const text = await prometheus({ register }).text();
  return text.split("\n").filter((line) => line.startsWith(name));
}

const POOL = { "db.client.connection.pool.name": "main" };

describe("prometheus()", () => {
  let register: Registry;
  let instruments: Instruments;
  beforeEach(() => {
    register = new Registry();
    instruments = new Instruments([prometheus({ register })]);
  });

  it("writes counters, those without labels from the start", async () => {
    expect(await linesOf(register, "doordarshan_signals_dead_letters")).to.deep.equal([
      "doordarshan_signals_dead_letters_total 0",
    ]);
    instruments.count(METRICS.transactions, { outcome: "committed" });
    instruments.count(METRICS.transactions, { outcome: "committed" }, 2);
    instruments.count(METRICS.transactions, { outcome: "unknown" });
    expect(await linesOf(register, "doordarshan_transactions_total")).to.deep.equal([
      'doordarshan_transactions_total{outcome="committed"} 3',
      'doordarshan_transactions_total{outcome="unknown"} 1',
    ]);
  });

  it("writes histograms in cumulative buckets", async () => {
    const attributes = { "db.system.name": "mysql", "db.operation.name": "SELECT" };
    for (const seconds of [0.000_2, 0.001, 0.001_1, 60])
      instruments.record(METRICS.operationDuration, seconds, attributes);
    const lines = await linesOf(register, "db_client_operation_duration_seconds");
    const labels = 'db_system_name="mysql",db_operation_name="SELECT"';
    expect(lines).to.include.members([
      `db_client_operation_duration_seconds_bucket{${labels},le="0.00025"} 1`,
      `db_client_operation_duration_seconds_bucket{${labels},le="0.0005"} 1`,
      `db_client_operation_duration_seconds_bucket{${labels},le="0.001"} 2`,
      `db_client_operation_duration_seconds_bucket{${labels},le="0.0025"} 3`,
      `db_client_operation_duration_seconds_bucket{${labels},le="30"} 3`,
      `db_client_operation_duration_seconds_bucket{${labels},le="+Inf"} 4`,
      `db_client_operation_duration_seconds_count{${labels}} 4`,
    ]);
    expect(lines).to.have.length(METRICS.operationDuration.buckets.length + 3);
    const sum = lines.find((line) => line.includes("_sum{"));
    expect(Number(sum?.split(" ").at(-1))).to.be.closeTo(60.0023, 1e-9);
  });

  it("writes the same as prom-client's own classes do", async () => {
    const own = new Registry();
    const { name, description, attributes } = METRICS.signalsPublished;
    expect(name).to.equal("doordarshan.signals.published");
    const counter = new Counter({
      name: "doordarshan_signals_published_total",
      help: description,
      labelNames: [...attributes],
      registers: [own],
    });
    const hostile = 'a"b\\c\nd';
    counter.inc({ type: hostile, outcome: "stored" });
    instruments.count(METRICS.signalsPublished, { type: hostile, outcome: "stored" });
    expect(await register.getSingleMetricAsString("doordarshan_signals_published_total")).to.equal(
      await own.getSingleMetricAsString("doordarshan_signals_published_total"),
    );
    const [theirs, ours] = [await own.getMetricsAsJSON(), await register.getMetricsAsJSON()];
    expect(ours.find((metric) => metric.name === "doordarshan_signals_published_total")).to.deep.equal(theirs[0]);
  });

  it("leaves out unknown attributes and empty ones, and what is no measurement", async () => {
    instruments.count(METRICS.transactions, { outcome: "committed", meetingId: "m1" });
    instruments.count(METRICS.transactions, { outcome: "" });
    instruments.count(METRICS.transactions, {});
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      instruments.count(METRICS.transactions, { outcome: "committed" }, value);
      instruments.record(METRICS.publishDuration, value);
    }
    expect(await linesOf(register, "doordarshan_transactions_total")).to.deep.equal([
      'doordarshan_transactions_total{outcome="committed"} 1',
      "doordarshan_transactions_total 2",
    ]);
    expect(await linesOf(register, "doordarshan_signals_publish_duration")).to.deep.equal([]);
  });

  it("keeps a bounded number of series, and every event, whatever is recorded", async () => {
    const event = fc.record({ type: fc.string({ maxLength: 4 }), outcome: fc.string({ maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 2_500, maxLength: 3_000 }), async (events) => {
        const own = new Registry();
        const { metrics } = prometheus({ register: own });
        const recorders = metrics.counter(METRICS.signalsPublished);
        for (const attributes of events) recorders(attributes)(1);
        const [metric] = await own.getMetricsAsJSON();
        const values = metric?.values ?? [];
        expect(values.length).to.be.at.most(2_000);
        expect(values.reduce((sum, { value }) => sum + value, 0)).to.equal(events.length);
        expect(new Set(values.map(({ labels }) => JSON.stringify(Object.entries(labels).sort()))).size).to.equal(
          values.length,
        );
      }),
      { numRuns: 10 },
    );
  });

  it("sums the gauges of several containers, shows the longest duration, and forgets what is taken off", async () => {
    const second = new Instruments([prometheus({ register })]);
    const connections = (used: number): readonly Sample[] => [
      { value: used, attributes: { ...POOL, state: "used" } },
      { value: 1, attributes: { ...POOL, state: "idle" } },
    ];
    const remove = instruments.gauge(METRICS.connections, () => connections(3));
    second.gauge(METRICS.connections, async () => connections(4));
    instruments.gauge(METRICS.lagSeconds, () => [{ value: 3 }]);
    second.gauge(METRICS.lagSeconds, () => [{ value: 2 }]);
    const gauge = (state: string, value: number) =>
      `db_client_connection_count{db_client_connection_pool_name="main",state="${state}"} ${value}`;
    expect(await linesOf(register, "db_client_connection_count")).to.deep.equal([gauge("used", 7), gauge("idle", 2)]);
    expect(await linesOf(register, "doordarshan_signals_lag_duration")).to.deep.equal([
      "doordarshan_signals_lag_duration_seconds 3",
    ]);
    remove();
    expect(await linesOf(register, "db_client_connection_count")).to.deep.equal([gauge("used", 4), gauge("idle", 1)]);
    second.close();
    expect(await linesOf(register, "db_client_connection_count")).to.deep.equal([]);
  });

  it("shows once what several containers share, and that they are ready when all are", async () => {
    const second = new Instruments([prometheus({ register })]);
    for (const [place, { gauge }] of [instruments, second]
      .map((each) => ({ gauge: each.gauge.bind(each) }))
      .entries()) {
      gauge(METRICS.fleetContainers, () => [{ value: 3 - place, attributes: { tenant: "acme" } }]);
      gauge(METRICS.fleetCapacity, () => [{ value: -5 * (place + 1), attributes: { state: "used" } }]);
      gauge(METRICS.containerReady, () => [{ value: place }]);
    }
    expect(await linesOf(register, "doordarshan_fleet")).to.deep.equal([
      'doordarshan_fleet_containers{tenant="acme"} 3',
      'doordarshan_fleet_capacity{state="used"} -5',
    ]);
    expect(await linesOf(register, "doordarshan_container_ready")).to.deep.equal(["doordarshan_container_ready 0"]);
  });

  it("shows nothing of a gauge that fails or does not answer, and asks it once only while it does not", async () => {
    let asked = 0;
    let answer: (samples: readonly Sample[]) => void = () => undefined;
    instruments.gauge(METRICS.roomsFollowed, () => {
      throw new Error("at once");
    });
    instruments.gauge(METRICS.signalsPending, () => Promise.reject(new Error("later")));
    instruments.gauge(METRICS.fleetContainers, () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    instruments.gauge(METRICS.redisInFlight, () => [{ value: 5 }]);
    const began = performance.now();
    const [text] = await Promise.all([register.metrics(), register.metrics()]);
    expect(performance.now() - began).to.be.within(1_900, 5_000);
    expect(text).to.include("\ndoordarshan_redis_commands_in_flight 5\n");
    expect(text).not.to.match(/^doordarshan_(signals_rooms_followed|signals_pending|fleet_containers)\b/m);
    expect(asked).to.equal(1);
    answer([{ value: 9, attributes: { tenant: "acme" } }]);
    await new Promise(setImmediate);
    const next = linesOf(register, "doordarshan_fleet_containers");
    answer([{ value: 8, attributes: { tenant: "acme" } }]);
    expect(await next).to.deep.equal(['doordarshan_fleet_containers{tenant="acme"} 8']);
    expect(asked).to.equal(2);
  });

  it("says so when somebody else's metric has one of the names", () => {
    const taken = new Registry();
    new Counter({ name: "doordarshan_transactions_total", help: "Theirs", registers: [taken] });
    expect(() => new Instruments([prometheus({ register: taken })])).to.throw(
      InvalidInputError,
      "register has another metric named doordarshan_transactions_total",
    );
  });

  it("writes OpenMetrics where the register does, and starts over with it", async () => {
    instruments.count(METRICS.transactions, { outcome: "committed" });
    const { OPENMETRICS_CONTENT_TYPE } = Registry;
    (register as Registry<never>).setContentType(OPENMETRICS_CONTENT_TYPE as never);
    const backend = prometheus({ register });
    expect(backend.contentType).to.equal(OPENMETRICS_CONTENT_TYPE);
    const text = await backend.text();
    expect(text).to.include(
      '# TYPE doordarshan_transactions counter\ndoordarshan_transactions_total{outcome="committed"} 1\n',
    );
    expect(text).to.match(/\n# EOF\n$/);
    register.resetMetrics();
    const afresh = await backend.text();
    expect(afresh).to.include('\ndoordarshan_transactions_total{outcome="committed"} 0\n');
    expect(afresh).to.include("\ndoordarshan_signals_dead_letters_total 0\n");
  });

  it("uses the service's own register by default", async () => {
    const backend = prometheus();
    try {
      new Instruments([backend]).count(METRICS.redisFailovers);
      expect(await shared.metrics()).to.include("doordarshan_redis_failovers_total 1");
      expect(await backend.text()).to.equal(await shared.metrics());
      expect(backend.contentType).to.equal(shared.contentType);
    } finally {
      shared.clear();
    }
  });
});
