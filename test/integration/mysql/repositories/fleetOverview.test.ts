import { expect } from "chai";
import { createRepositories } from "../../../../src/mysql/repositories/index.js";
import { fullScans, recordingDatabase } from "./scans.js";
import { type Bench, empty, openBench } from "./support.js";

const node = (containerId: string, workers: number, tenant = "t") => ({
  containerId,
  host: `host-${containerId}`,
  tenant,
  workerIds: Array.from({ length: workers }, (_, n) => `${containerId}-w${n}`),
});

describe("FleetRepository.overview", function () {
  this.timeout(120_000);
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(() => bench?.close());
  beforeEach(() => empty(bench.dataSource));

  const fleet = () => bench.repositories.fleet;
  /** A meeting with a producer router on worker 0 and a consumer router on worker 1. */
  const meet = (meetingId: string, containerId: string, producerCapacity: number, consumerCapacity: number) =>
    bench.repositories.meetings.create({
      meetingId,
      containerId,
      routers: [
        { routerId: `${meetingId}-p`, workerId: `${containerId}-w0`, producerCapacity },
        { routerId: `${meetingId}-c`, workerId: `${containerId}-w1`, consumerCapacity },
      ],
    });
  const setHeartbeat = (containerId: string, sql: string) =>
    bench.dataSource.query(`UPDATE container_heartbeat SET heartbeat = ${sql} WHERE container_id = ?`, [containerId]);
  const ids = async (request?: { tenant?: string; limit?: number }) =>
    (await fleet().overview(request)).nodes.map(({ containerId }) => containerId);

  it("sums what routers take and what is reserved, by worker and by node, a meeting once in each", async () => {
    await fleet().registerContainer(node("a", 2));
    await meet("m1", "a", 10, 100);
    await meet("m2", "a", 5, 50);
    await fleet().allocate({ tenant: "t", producerCapacity: 3, consumerCapacity: 7 });
    const { nodes, ...counts } = await fleet().overview({ tenant: "t" });
    expect(counts).to.deep.equal({ total: 1, alive: 1 });
    const [{ workers = [], heartbeatAgeMs, ...first } = {}, ...others] = nodes;
    expect(others).to.deep.equal([]);
    expect(first).to.deep.equal({
      ...{ containerId: "a", host: "host-a", tenant: "t", alive: true, enabled: true },
      ...{ limit: 1_000, used: 175, producers: 15, consumers: 150, reserved: 10, meetings: 2 },
    });
    expect(heartbeatAgeMs).to.be.within(0, 10_000);
    const reserved = workers.map((worker) => worker.reserved);
    expect(reserved).to.have.members([3, 7]);
    expect(workers).to.deep.equal([
      {
        workerId: "a-w0",
        limit: 500,
        used: 15 + (reserved[0] ?? 0),
        producers: 15,
        consumers: 0,
        reserved: reserved[0],
        meetings: 2,
      },
      {
        workerId: "a-w1",
        limit: 500,
        used: 150 + (reserved[1] ?? 0),
        producers: 0,
        consumers: 150,
        reserved: reserved[1],
        meetings: 2,
      },
    ]);
  });

  it("shows live nodes first, the fullest of them first, and ties by id", async () => {
    for (const id of ["b", "a", "dead", "full"]) await fleet().registerContainer(node(id, 2));
    await meet("m1", "full", 10, 20);
    await meet("m2", "dead", 100, 200);
    await setHeartbeat("dead", "(UNIX_TIMESTAMP() - 60) * 1000000000");
    expect(await ids()).to.deep.equal(["full", "a", "b", "dead"]);
  });

  it("is cut to the nodes with the least room, and counts the others", async () => {
    for (const id of ["a", "b", "c", "d"]) await fleet().registerContainer(node(id, 2));
    await fleet().registerContainer(node("other", 2, "someone else's"));
    await meet("m1", "c", 10, 20);
    await meet("m2", "b", 1, 2);
    await setHeartbeat("a", "0");
    const { nodes, ...counts } = await fleet().overview({ tenant: "t", limit: 2 });
    expect(nodes.map(({ containerId }) => containerId)).to.deep.equal(["c", "b"]);
    expect(counts).to.deep.equal({ total: 4, alive: 3 });
    expect(await ids({ tenant: "t" })).to.have.members(["a", "b", "c", "d"]);
    expect(await ids({ tenant: "T" })).to.deep.equal([]);
    expect(await fleet().overview({ tenant: "nobody" })).to.deep.equal({ nodes: [], total: 0, alive: 0 });
  });

  it("tells a node that is off, one without workers, and heartbeats that are missing, strange or from the future", async () => {
    for (const id of ["ahead", "never", "off", "strange"]) await fleet().registerContainer(node(id, 1));
    await fleet().registerContainer(node("bare", 0));
    await fleet().setStatus("off", false);
    await setHeartbeat("ahead", "(UNIX_TIMESTAMP() + 3600) * 1000000000");
    await setHeartbeat("never", "NULL");
    await setHeartbeat("strange", "-9223372036854775808");
    const { nodes } = await fleet().overview();
    const found = new Map(nodes.map((each) => [each.containerId, each]));
    expect(found.get("off")).to.deep.include({ alive: true, enabled: false });
    expect(found.get("bare")).to.deep.include({ alive: true, limit: 0, used: 0, workers: [], meetings: 0 });
    expect(found.get("never")).to.deep.include({ alive: false, heartbeatAgeMs: null });
    expect(found.get("ahead")?.heartbeatAgeMs).to.be.within(-3_600_000, -3_590_000);
    expect(found.get("ahead")?.alive).to.equal(false);
    expect(found.get("strange")?.heartbeatAgeMs).to.be.above(2 ** 43);
    expect(nodes.map(({ alive }) => alive)).to.deep.equal([true, true, false, false, false]);
  });

  it("takes five statements however many nodes there are, and reads no table from end to end for a tenant's", async () => {
    const many = Array.from({ length: 400 }, (_, n) => n);
    const insert = (into: string, rows: unknown[][]) => bench.dataSource.query(`INSERT INTO ${into} VALUES ?`, [rows]);
    await insert(
      "container_heartbeat (container_id, host, tenant, heartbeat)",
      many.map((n) => [`n${n}`, "h", `t${n % 10}`, 1]),
    );
    await insert(
      "worker_container (container_id, worker_id)",
      many.flatMap((n) => [0, 1, 2, 3].map((w) => [`n${n}`, `n${n}-w${w}`])),
    );
    await insert(
      "meeting_status (meeting_id, enabled)",
      many.map((n) => [`m${n}`, 1]),
    );
    await insert(
      "router_worker (worker_id, router_id)",
      many.map((n) => [`n${n}-w0`, `r${n}`]),
    );
    await insert(
      "router_meeting (router_id, meeting_id, producer_capacity, container_id)",
      many.map((n) => [`r${n}`, `m${n}`, n, `n${n}`]),
    );
    await insert(
      "placement_reservation (reservation_id, worker_id, container_id, role, amount, expires_at)",
      many.map((n) => [`v${n}`, `n${n}-w1`, `n${n}`, "producer", 1, new Date(Date.now() + 3_600_000)]),
    );
    const tables =
      "placement_reservation, container_heartbeat, worker_container, router_worker, router_meeting, worker_load, container_load";
    await bench.dataSource.query(`ANALYZE TABLE ${tables}`);
    for (const limit of [1, 5, 50]) {
      const { database, statements } = recordingDatabase(bench.dataSource);
      const { nodes, total } = await createRepositories(database).fleet.overview({ tenant: "t1", limit });
      expect([nodes.length, total, statements.length]).to.deep.equal([Math.min(limit, 40), 40, 5]);
      expect(await fullScans(bench.dataSource, statements)).to.deep.equal([]);
    }
    expect(await ids({ tenant: "t1", limit: 2 })).to.deep.equal(["n391", "n381"]);
  });
});
