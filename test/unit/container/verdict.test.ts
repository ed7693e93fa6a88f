import { expect } from "chai";
import type { MysqlHealth, RedisHealth } from "../../../src/container/health/health.js";
import { judge } from "../../../src/container/health/verdict.js";

const MYSQL: MysqlHealth = {
  status: "up",
  latencyMs: 1,
  error: undefined,
  version: "8.4.0",
  readOnly: false,
  replication: { role: "none" },
  schema: { known: "B2", applied: "B2", pending: 0, ahead: false },
  pool: { used: 0, idle: 1, waiting: 0, limit: 10 },
};
const REDIS: RedisHealth = {
  status: "up",
  latencyMs: 1,
  error: undefined,
  mode: "cluster",
  cluster: { ok: true, slotsServed: 16_384, masters: 3, replicas: 3 },
  client: { status: "ready", inFlight: 0, waiting: 0, limit: 10, queuedBytes: 0 },
};

describe("the verdict on health", () => {
  it("is live in every state but stopped, and ready in one only", () => {
    const states = ["new", "starting", "ready", "stopping", "stopped"] as const;
    const verdicts = states.map((state) => judge(state, MYSQL, REDIS));
    expect(verdicts.map(({ live }) => live)).to.deep.equal([true, true, true, true, false]);
    expect(verdicts.map(({ ready }) => ready)).to.deep.equal([false, false, true, false, false]);
  });

  it("tells every problem at once", () => {
    const { live, ready, problems } = judge(
      "stopping",
      { ...MYSQL, status: "down", error: "no answer", schema: undefined },
      { ...REDIS, cluster: { ok: false, slotsServed: 16_383, masters: 3, replicas: 0 } },
    );
    expect({ live, ready }).to.deep.equal({ live: true, ready: false });
    expect(problems).to.deep.equal([
      "the container is stopping",
      "MySQL: no answer",
      "Redis: the cluster serves 16383 of 16384 slots and says that it is down: check its masters",
    ]);
  });

  it("says nothing of stores that the container has not", () => {
    const none = { status: "down", latencyMs: 0, error: "the container is starting" } as const;
    const { problems } = judge(
      "starting",
      { ...none, pool: undefined },
      { ...none, mode: "single", client: undefined },
    );
    expect(problems).to.deep.equal(["the container is starting"]);
  });

  it("warns of what a ready service should know", () => {
    const stopped = { role: "replica", running: false, secondsBehind: undefined } as const;
    const schema = { known: "B2", applied: "C3", pending: 0, ahead: true };
    const { ready, warnings } = judge(
      "ready",
      { ...MYSQL, readOnly: true, replication: stopped, schema },
      { ...REDIS, mode: "single", cluster: undefined, role: "replica", masterLink: "down" },
    );
    expect(ready).to.equal(true);
    expect(warnings).to.have.length(5);
  });
});
