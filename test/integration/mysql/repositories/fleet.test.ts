import { expect } from "chai";
import {
  ContainerInUseError,
  ContainerNotFoundError,
  IdTakenError,
  InvalidInputError,
  NoCapacityError,
  ReservationNotFoundError,
} from "../../../../src/errors.js";
import { failureOf } from "../testDataSource.js";
import { type Bench, empty, loads, openBench } from "./support.js";

const node = (containerId: string, workers = 2, tenant = "t") => ({
  containerId,
  host: `host-${containerId}`,
  tenant,
  workerIds: Array.from({ length: workers }, (_, n) => `${containerId}-w${n}`),
});

describe("FleetRepository", function () {
  this.timeout(120_000);
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(() => bench?.close());
  beforeEach(() => empty(bench.dataSource));

  const fleet = () => bench.repositories.fleet;
  const setHeartbeat = (containerId: string, sql: string) =>
    bench.dataSource.query(`UPDATE container_heartbeat SET heartbeat = ${sql} WHERE container_id = ?`, [containerId]);
  const secondsFromNow = (seconds: number) => `(UNIX_TIMESTAMP() + ${seconds}) * 1000000000`;

  it("registers a node once or twice alike, and tells what it is", async () => {
    await fleet().registerContainer(node("a"));
    await fleet().registerContainer(node("a"));
    await fleet().setStatus("a", false);
    const [first, ...others] = await fleet().listContainers({ tenant: "t" });
    expect(others).to.deep.equal([]);
    expect(first).to.deep.include({ containerId: "a", host: "host-a", tenant: "t", alive: true, enabled: false });
    expect(first?.workers).to.deep.equal(["a-w0", "a-w1"].map((workerId) => ({ workerId, capacity: 500, used: 0 })));
    const age = BigInt(Date.now()) * 1_000_000n - (first?.heartbeat ?? 0n);
    expect(Number(age) / 1e9).to.be.within(-1, 5);
    expect(await fleet().listContainers({ tenant: " t" })).to.deep.equal([]);
    expect(await fleet().listContainers()).to.have.length(1);
  });

  it("refuses a worker of another node, and leaves nothing of the attempt", async () => {
    await fleet().registerContainer(node("a"));
    const other = { ...node("b"), workerIds: ["b-w0", "a-w1"] };
    expect(await failureOf(fleet().registerContainer(other))).to.be.instanceOf(IdTakenError);
    expect(await fleet().listContainers()).to.have.length(1);
  });

  it("finds nodes that are silent or ahead of time, and believes a heartbeat again", async () => {
    for (const id of ["fine", "silent", "ahead", "never"]) await fleet().registerContainer(node(id));
    await setHeartbeat("silent", secondsFromNow(-11));
    await setHeartbeat("ahead", secondsFromNow(3_600));
    await setHeartbeat("never", "NULL");
    const ids = async () => (await fleet().findStaleContainers({ tenant: "t" })).map(({ containerId }) => containerId);
    expect(await ids()).to.deep.equal(["ahead", "never", "silent"]);
    expect(await fleet().findStaleContainers({ tenant: "u" })).to.deep.equal([]);
    await fleet().recordHeartbeat("ahead");
    expect(await ids()).to.deep.equal(["never", "silent"]);
    expect((await fleet().findStaleContainers({ olderThanMs: 60_000 })).map((c) => c.containerId)).to.deep.equal([
      "never",
    ]);
    expect(await failureOf(fleet().recordHeartbeat("none"))).to.be.instanceOf(ContainerNotFoundError);
    expect(await failureOf(fleet().setStatus("none", true))).to.be.instanceOf(ContainerNotFoundError);
  });

  it("removes a node whole, but not from under its routers", async () => {
    await fleet().registerContainer(node("a"));
    const placed = await fleet().allocate({ tenant: "t", producerCapacity: 2, consumerCapacity: 4 });
    await bench.repositories.meetings.create({
      ...placed,
      meetingId: "m",
      routers: [{ routerId: "r", workerId: placed.producer.workerId, producerCapacity: 2 }],
    });
    expect(await failureOf(fleet().removeContainer("a"))).to.be.instanceOf(ContainerInUseError);
    await bench.repositories.meetings.end("m");
    expect(await fleet().removeContainer("a")).to.equal("removed");
    expect(await fleet().removeContainer("a")).to.equal("not-found");
    expect(await loads(bench.dataSource)).to.deep.equal({ kept: [[], []], counted: [[], []] });
  });

  it("refuses what cannot be placed before it asks", async () => {
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 31, "4", undefined]) {
      const request = { tenant: "t", producerCapacity: bad as number, consumerCapacity: 1 };
      expect(await failureOf(fleet().allocate(request))).to.be.instanceOf(InvalidInputError);
    }
    for (const bad of ["", 0, null, "x".repeat(65), "a\0", "\ud800"]) {
      expect(await failureOf(fleet().recordHeartbeat(bad as string))).to.be.instanceOf(InvalidInputError);
    }
  });

  describe("allocate", () => {
    /** How often the server looked for a key meanwhile, and how that ended. */
    const lookups = async (work: () => Promise<unknown>) => {
      const count = async () => {
        const [row] = await bench.dataSource.query("SHOW GLOBAL STATUS LIKE 'Handler_read_key'");
        return Number(row.Value);
      };
      const before = await count();
      const failure = await failureOf(work());
      return { failure, keys: (await count()) - before };
    };
    const allocate = (producerCapacity: number, consumerCapacity: number, more = {}) =>
      fleet().allocate({ tenant: "t", producerCapacity, consumerCapacity, ...more });

    it("takes the fullest node that fits, the fewest consumer workers, and the lower id on a tie", async () => {
      for (const id of ["b", "a", "c"]) await fleet().registerContainer(node(id, 3));
      const first = await allocate(100, 300);
      expect(first).to.deep.include({
        containerId: "a",
        host: "host-a",
        producer: { workerId: "a-w0", capacity: 100 },
        consumers: [{ workerId: "a-w1", capacity: 300 }],
      });
      expect(first.reason).to.include("a is the fullest that fits");
      // The fullest worker that fits is the one with producers: 400 left.
      expect((await allocate(400, 500)).producer).to.deep.equal({ workerId: "a-w0", capacity: 400 });
      // Left on a: 0, 200, 0; so a does not fit, b and c do.
      const third = await allocate(100, 600);
      expect(third.containerId).to.equal("b");
      expect(third.consumers).to.deep.equal([
        { workerId: "b-w1", capacity: 500 },
        { workerId: "b-w2", capacity: 100 },
      ]);
      const { kept, counted } = await loads(bench.dataSource);
      expect(kept).to.deep.equal(counted);
    });

    it("passes over nodes whose room is only in the sum without looking anything up of each", async () => {
      const nodes = Array.from({ length: 40 }, (_, n) => `even-${n}`);
      for (const id of nodes) await fleet().registerContainer(node(id, 4));
      await bench.dataSource.query("UPDATE worker_load SET used = 200");
      const [apart, alone] = [await lookups(() => allocate(20, 1_000)), await lookups(() => allocate(301, 0))];
      for (const { failure, keys } of [apart, alone]) {
        expect(failure).to.be.instanceOf(NoCapacityError);
        expect(keys).to.be.below(nodes.length);
      }
      // 1,200 free on each, 900 beside the producers' worker.
      expect((await allocate(20, 900)).containerId).to.equal("even-0");
    });

    it("lets a full worker take producers of no capacity", async () => {
      await fleet().registerContainer(node("a"));
      await bench.dataSource.query("UPDATE worker_load SET used = 500 WHERE worker_id = 'a-w0'");
      expect((await allocate(0, 500)).consumers).to.deep.equal([{ workerId: "a-w1", capacity: 500 }]);
    });

    it("keeps a node usable that has a full worker", async () => {
      await fleet().registerContainer(node("a", 3));
      await bench.dataSource.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)");
      await bench.dataSource.query("INSERT INTO router_worker (worker_id, router_id) VALUES ('a-w0', 'r')");
      await bench.dataSource.query(
        "INSERT INTO router_meeting (router_id, meeting_id, capacity, container_id) VALUES ('r', 'm', 900, 'a')",
      );
      const placed = await allocate(500, 500);
      expect([placed.producer.workerId, placed.consumers[0]?.workerId]).to.deep.equal(["a-w1", "a-w2"]);
      expect(await failureOf(allocate(0, 1))).to.be.instanceOf(NoCapacityError);
    });

    it("passes over the dead, the too early, the disabled, the hostless and other tenants' nodes", async () => {
      for (const id of ["dead", "ahead", "off", "lost", "never"]) await fleet().registerContainer(node(id));
      await fleet().registerContainer(node("other", 2, "t2"));
      await setHeartbeat("dead", secondsFromNow(-11));
      await setHeartbeat("ahead", secondsFromNow(60));
      await setHeartbeat("never", "NULL");
      await fleet().setStatus("off", false);
      await bench.dataSource.query("UPDATE container_heartbeat SET host = NULL WHERE container_id = 'lost'");
      expect(await failureOf(allocate(1, 1))).to.be.instanceOf(NoCapacityError);
      await fleet().setStatus("off", true);
      expect((await allocate(1, 1)).containerId).to.equal("off");
    });

    it("counts reservations at once, and gives them back when released, confirmed or expired", async () => {
      await fleet().registerContainer(node("a"));
      const all = () => allocate(500, 500);
      const first = await all();
      expect(await failureOf(all())).to.be.instanceOf(NoCapacityError);
      expect(await fleet().release(first.reservationId)).to.equal("released");
      expect(await fleet().release(first.reservationId)).to.equal("not-found");
      expect(await failureOf(fleet().confirm(first.reservationId))).to.be.instanceOf(ReservationNotFoundError);
      await fleet().confirm((await all()).reservationId);
      const third = await allocate(500, 500, { reservationMs: 1 });
      await bench.dataSource.query("SELECT SLEEP(0.01)");
      expect(await failureOf(fleet().confirm(third.reservationId))).to.be.instanceOf(ReservationNotFoundError);
      await allocate(500, 500, { reservationMs: 1 });
      await bench.dataSource.query("SELECT SLEEP(0.01)");
      await all();
      const { kept, counted } = await loads(bench.dataSource);
      expect(kept).to.deep.equal(counted);
    });

    it("asks the caller's strategy, shows it more when it declines, and holds it to the rules", async () => {
      for (let n = 10; n < 30; n += 1) await fleet().registerContainer(node(`n${n}`));
      const layout = { producer: { capacity: 1 }, consumers: [{ capacity: 1 }] };
      const only = (wanted: string, producer: string, consumer: string) => ({
        strategy: (candidates: readonly { containerId: string }[]) =>
          candidates.some(({ containerId }) => containerId === wanted)
            ? {
                containerId: wanted,
                producer: { ...layout.producer, workerId: producer },
                consumers: [{ ...layout.consumers[0], workerId: consumer }],
                reason: "mine",
              }
            : undefined,
      });
      expect(await allocate(1, 1, only("n29", "n29-w1", "n29-w0"))).to.deep.include({
        containerId: "n29",
        reason: "mine",
      });
      for (const consumer of ["n29-w1", "n28-w0"])
        expect(await failureOf(allocate(1, 1, only("n29", "n29-w1", consumer)))).to.be.instanceOf(InvalidInputError);
      expect(await failureOf(allocate(2, 1, only("n29", "n29-w1", "n29-w0")))).to.be.instanceOf(InvalidInputError);
      expect(await failureOf(allocate(1, 1, { strategy: () => undefined }))).to.be.instanceOf(NoCapacityError);
    });
  });

  it("finds the least loaded node with room for all that another holds", async () => {
    for (const id of ["dead", "small", "busy", "idle"])
      await fleet().registerContainer(node(id, id === "small" ? 1 : 3));
    const { meetings } = bench.repositories;
    const routers = (id: string, meeting: string) => [
      { routerId: `${meeting}-p`, workerId: `${id}-w0`, producerCapacity: 200 },
      { routerId: `${meeting}-c`, workerId: `${id}-w1`, consumerCapacity: 400 },
    ];
    await meetings.create({ meetingId: "m", containerId: "dead", routers: routers("dead", "m") });
    await meetings.create({ meetingId: "n", containerId: "busy", routers: routers("busy", "n") });
    const found = await fleet().findReplacement({ tenant: "t", forContainerId: "dead" });
    expect(found).to.deep.include({ containerId: "idle", host: "host-idle", free: 1_500 });
    expect(found.routers.map(({ routerId, amount }) => [routerId, amount])).to.deep.equal([
      ["m-c", 400],
      ["m-p", 200],
    ]);
    expect(new Set(found.routers.map(({ workerId }) => workerId)).size).to.equal(2);
    await setHeartbeat("idle", "0");
    expect(await fleet().findReplacement({ tenant: "t", forContainerId: "dead" })).to.include({
      containerId: "busy",
      free: 900,
    });
    await setHeartbeat("busy", "0");
    expect(await failureOf(fleet().findReplacement({ tenant: "t", forContainerId: "dead" }))).to.be.instanceOf(
      NoCapacityError,
    );
    expect(await failureOf(fleet().findReplacement({ tenant: "t", forContainerId: "?" }))).to.be.instanceOf(
      ContainerNotFoundError,
    );
  });

  it("counts the loads anew when they are wrong", async () => {
    await fleet().registerContainer(node("a"));
    await bench.dataSource.query("UPDATE worker_load SET used = 77");
    await bench.dataSource.query("INSERT INTO worker_load (worker_id, container_id) VALUES ('ghost', 'gone')");
    await bench.dataSource.query("DELETE FROM container_load WHERE container_id = 'a'");
    await fleet().recount();
    const { kept, counted } = await loads(bench.dataSource);
    expect(kept)
      .to.deep.equal(counted)
      .and.to.deep.equal([
        [
          ["a-w0", 0],
          ["a-w1", 0],
        ],
        [["a", 1_000, 500, 500]],
      ]);
  });
});
