import { mock } from "node:test";
import { expect } from "chai";
import type { Topology } from "../../../../src/redis/following/topology.js";
import { Failovers } from "../../../../src/redis/telemetry/failovers.js";
import { METRICS } from "../../../../src/telemetry/metrics.js";
import { RecordedTelemetry } from "../../../support/recordedTelemetry.js";
import { recordingLogger } from "../../../support/recordingLogger.js";

const HALF = 8_192;

describe("Failovers", () => {
  let now = 0;
  let owners: (slot: number) => string | undefined;
  let refreshed = () => {};
  let recorded: RecordedTelemetry;
  let logger: ReturnType<typeof recordingLogger>;
  let stop: () => void;

  beforeEach(() => {
    now = 0;
    mock.method(performance, "now", () => now);
    recorded = new RecordedTelemetry();
    logger = recordingLogger();
    const topology: Topology = {
      slotOf: () => 0,
      refresh: () => undefined,
      ownerOf: (slot) => owners(slot),
      onChange: (listener) => {
        refreshed = listener;
        return () => {
          refreshed = () => {};
        };
      },
    };
    stop = new Failovers(topology, logger, recorded.instruments()).watch();
    read("a", "b");
  });

  afterEach(() => mock.restoreAll());

  /** The slot table is read: who owns the lower and the upper half. */
  function read(lower: string | undefined, upper: string | undefined): void {
    owners = (slot) => (slot < HALF ? lower : upper);
    refreshed();
  }

  const lines = (): Record<string, unknown>[] => logger.lines.map(({ level, fields }) => ({ level, ...fields }));
  const counted = () => recorded.total(METRICS.redisFailovers);

  it("are told once, with the masters and the slots", () => {
    read("a2", "b");
    read("a2", "b");
    const line = { level: "warn", event: "redis.failover", from: "a", to: "a2", slots: "0-8191" };
    expect(lines()).to.deep.equal([line]);
    expect(counted()).to.equal(1);
  });

  it("are told of several masters at once", () => {
    read("a2", "b2");
    expect(lines().map(({ event }) => event)).to.deep.equal(["redis.failover", "redis.failover"]);
    expect(counted()).to.equal(2);
  });

  it("are not told again by a node that has not heard of them, and the way back is told when it stays so", () => {
    read("a2", "b");
    now = 1_000;
    read("a", "b");
    read("a2", "b");
    expect(counted()).to.equal(1);
    now = 5_000;
    read("a", "b");
    expect(counted()).to.equal(1);
    now = 10_000;
    read("a", "b");
    expect(counted()).to.equal(2);
    expect(lines().at(-1)).to.include({ from: "a2", to: "a" });
  });

  it("are told apart from slots that move between masters", () => {
    owners = (slot) => (slot < HALF - 2 || slot === HALF - 1 ? "a" : "b");
    refreshed();
    expect(lines()).to.deep.equal([{ level: "debug", event: "redis.slots", from: "a", to: "b", slots: "8190" }]);
    read("b", "b");
    expect(lines().map(({ event }) => event)).to.deep.equal(["redis.slots", "redis.slots"]);
    expect(counted()).to.equal(0);
  });

  it("are told when the slots were nobody's for a while, and no longer when it stops", () => {
    read(undefined, "b");
    expect(counted()).to.equal(0);
    read("a2", "b");
    expect(counted()).to.equal(1);
    stop();
    read("a3", "b");
    expect(counted()).to.equal(1);
  });
});
