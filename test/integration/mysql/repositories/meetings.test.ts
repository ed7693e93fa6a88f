import { expect } from "chai";
import {
  ContainerNotAliveError,
  ContainerNotFoundError,
  HostNotFoundError,
  IdTakenError,
  InvalidInputError,
  MeetingNotFoundError,
  ReservationNotFoundError,
  WorkerNotFoundError,
} from "../../../../src/errors.js";
import { transactionDatabase } from "../../../../src/mysql/repositories/database.js";
import { createRepositories } from "../../../../src/mysql/repositories/index.js";
import { runTransaction } from "../../../../src/mysql/transaction.js";
import { failureOf } from "../testDataSource.js";
import { type Bench, empty, loads, openBench, rowCounts, seedByPlainSql } from "./support.js";

describe("MeetingRepository", function () {
  this.timeout(120_000);
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(() => bench?.close());
  beforeEach(async () => {
    await empty(bench.dataSource);
    for (const containerId of ["a", "b", "c"]) {
      const workerIds = [0, 1, 2, 3].map((n) => `${containerId}${n}`);
      await bench.repositories.fleet.registerContainer({
        containerId,
        host: `host-${containerId}`,
        tenant: "t",
        workerIds,
      });
    }
  });
  afterEach(async () => {
    const { kept, counted } = await loads(bench.dataSource);
    expect(kept).to.deep.equal(counted);
  });

  const meetings = () => bench.repositories.meetings;
  const query = <T = unknown>(sql: string, params: unknown[] = []): Promise<T[]> => bench.dataSource.query(sql, params);
  const kill = (containerId: string) =>
    query("UPDATE container_heartbeat SET heartbeat = 0 WHERE container_id = ?", [containerId]);
  const routersOn = (containerId: string, meetingId: string) => [
    { routerId: `${meetingId}-p`, workerId: `${containerId}0`, producerCapacity: 4 },
    { routerId: `${meetingId}-c`, workerId: `${containerId}1`, consumerCapacity: 12 },
  ];
  const create = (meetingId: string, containerId = "a") =>
    meetings().create({ meetingId, containerId, routers: routersOn(containerId, meetingId) });

  it("says what a meeting needs", async () => {
    expect(meetings().calculateCapacity({ publishers: 3, viewers: 10 })).to.deep.equal({
      producerCapacity: 6,
      consumerCapacity: 78,
    });
    for (const bad of [-1, 0.5, 1e9, Number.NaN])
      expect(() => meetings().calculateCapacity({ publishers: bad, viewers: 1 })).to.throw(InvalidInputError);
  });

  it("creates a meeting once, and the second changes nothing", async () => {
    expect(await create("m")).to.equal("created");
    expect(await create("m", "b")).to.equal("already-exists");
    expect(await rowCounts(bench.dataSource)).to.deep.equal({ meeting_status: 1, router_worker: 2, router_meeting: 2 });
    expect(await meetings().findContainerId("m")).to.equal("a");
    expect(await meetings().findHost("m")).to.equal("host-a");
    expect([await meetings().exists("m"), await meetings().exists("M")]).to.deep.equal([true, false]);
  });

  it("lets one of many creators create, and leaves the routers of that one", async () => {
    const outcomes = await Promise.all(["a", "b", "c", "a", "b", "c", "a", "b"].map((id) => create("m", id)));
    expect(outcomes.filter((outcome) => outcome === "created")).to.have.length(1);
    expect(await rowCounts(bench.dataSource)).to.deep.equal({ meeting_status: 1, router_worker: 2, router_meeting: 2 });
  });

  it("never creates half a meeting, in the caller's transaction neither", async () => {
    await create("m");
    const taken = { meetingId: "n", containerId: "b", routers: [{ ...routersOn("b", "n")[0], routerId: "m-p" }] };
    const elsewhere = { meetingId: "n", containerId: "b", routers: routersOn("a", "n") };
    const before = await rowCounts(bench.dataSource);
    const attempts = [
      [taken, IdTakenError],
      [elsewhere, WorkerNotFoundError],
      [{ ...elsewhere, containerId: "?" }, WorkerNotFoundError],
      [{ ...elsewhere, routers: routersOn("b", "n"), reservationId: "?" }, ReservationNotFoundError],
    ] as const;
    for (const [meeting, error] of attempts)
      expect(await failureOf(meetings().create(meeting as never))).to.be.instanceOf(error);
    await runTransaction(bench.dataSource, async ({ manager }) => {
      const inside = createRepositories(transactionDatabase(manager)).meetings;
      for (const [meeting, error] of attempts)
        expect(await failureOf(inside.create(meeting as never))).to.be.instanceOf(error);
    });
    expect(await rowCounts(bench.dataSource)).to.deep.equal(before);
  });

  it("undoes what it did with the caller's transaction", async () => {
    const own = new Error("mine");
    const failing = runTransaction(bench.dataSource, async ({ manager }) => {
      const { meetings, fleet } = createRepositories(transactionDatabase(manager));
      const placed = await fleet.allocate({ tenant: "t", producerCapacity: 4, consumerCapacity: 12 });
      const [producer] = routersOn(placed.containerId, "m");
      expect(await meetings.create({ ...placed, meetingId: "m", routers: [{ ...producer }] as never })).to.equal(
        "created",
      );
      throw own;
    });
    expect(await failureOf(failing)).to.equal(own);
    expect(await rowCounts(bench.dataSource)).to.deep.equal({});
    expect(await query("SELECT * FROM placement_reservation")).to.deep.equal([]);
  });

  it("refuses routers that the media server would lose, or that make no sense", async () => {
    const [producer, consumer] = routersOn("a", "m");
    const bad = [
      [],
      [producer, { ...consumer, workerId: "a0" }],
      [producer, { ...consumer, routerId: "m-p" }],
      [{ ...producer, consumerCapacity: 1 }],
      [{ routerId: "r", workerId: "a0" }],
      [{ ...producer, producerCapacity: -1 }],
      [{ ...producer, producerCapacity: 1.5 }],
    ];
    for (const routers of bad) {
      const creating = meetings().create({ meetingId: "m", containerId: "a", routers: routers as never });
      expect(await failureOf(creating)).to.be.instanceOf(InvalidInputError);
    }
  });

  it("confirms a reservation with the meeting: what is used is the same before and after", async () => {
    const { fleet } = bench.repositories;
    const placed = await fleet.allocate({ tenant: "t", producerCapacity: 4, consumerCapacity: 12 });
    const used = () => query("SELECT worker_id, used FROM worker_load ORDER BY worker_id");
    const reserved = await used();
    const workers = { p: placed.producer.workerId, c: placed.consumers[0]?.workerId as string };
    const routers = [
      { routerId: "p", workerId: workers.p, producerCapacity: 4 },
      { routerId: "c", workerId: workers.c, consumerCapacity: 12 },
    ];
    const tooMuch = [{ routerId: "p", workerId: workers.p, producerCapacity: 5 }];
    expect(await failureOf(meetings().create({ ...placed, meetingId: "m", routers: tooMuch }))).to.be.instanceOf(
      InvalidInputError,
    );
    expect(await meetings().create({ ...placed, meetingId: "m", routers })).to.equal("created");
    expect(await used()).to.deep.equal(reserved);
    expect(await query("SELECT * FROM placement_reservation")).to.deep.equal([]);
    expect(await fleet.release(placed.reservationId)).to.equal("not-found");
    const again = meetings().create({ ...placed, meetingId: "n", routers: routersOn("b", "n") });
    expect(await failureOf(again)).to.be.instanceOf(ReservationNotFoundError);
  });

  it("tells a meeting that is missing from one whose host is", async () => {
    const finds = [
      () => meetings().findHost("m"),
      () => meetings().findContainerId("m"),
      () => meetings().describe("m"),
    ];
    for (const find of finds) expect(await failureOf(find())).to.be.instanceOf(MeetingNotFoundError);
    await create("m");
    await query("UPDATE container_heartbeat SET host = NULL");
    expect(await failureOf(meetings().findHost("m"))).to.be.instanceOf(HostNotFoundError);
    expect(await meetings().findContainerId("m")).to.equal("a");
    await query("UPDATE router_worker SET worker_id = NULL");
    await query("UPDATE router_meeting SET container_id = NULL");
    expect(await failureOf(meetings().findContainerId("m"))).to.be.instanceOf(HostNotFoundError);
    expect((await meetings().describe("m")).hosts).to.deep.equal([]);
  });

  it("describes a meeting in flat lists, and nothing of another", async () => {
    for (const meetingId of ["m", "n"])
      await seedByPlainSql(bench.dataSource, { meetingId, containerId: "b", workers: ["b0", "b1"], people: 4 });
    const told = await meetings().describe("m");
    expect(told).to.deep.include({ meetingId: "m", enabled: true, hosts: ["host-b"] });
    expect(told.routers).to.deep.equal([
      {
        routerId: "m-rc",
        workerId: "b1",
        containerId: "b",
        host: "host-b",
        producerCapacity: null,
        consumerCapacity: 10,
        capacity: null,
      },
      {
        routerId: "m-rp",
        workerId: "b0",
        containerId: "b",
        host: "host-b",
        producerCapacity: 10,
        consumerCapacity: null,
        capacity: null,
      },
    ]);
    expect(told.participants[0]).to.deep.equal({
      participantId: "m-p0",
      instanceId: "i",
      producerRouterId: "m-rp",
      consumerRouterId: "m-rc",
      producerTransportId: "m-p0-pt",
      consumerTransportId: "m-p0-ct",
    });
    expect([told.participants, told.producers, told.consumers].map(({ length }) => length)).to.deep.equal([4, 4, 12]);
    expect(JSON.stringify(told)).to.not.include("n-p");
  });

  it("tells what a replacement node must rebuild", async () => {
    await create("m");
    await create("n");
    await create("elsewhere", "b");
    const told = await meetings().configurationOf("a");
    expect(told.workerIds).to.deep.equal(["a0", "a1", "a2", "a3"]);
    expect(told.meetings.map(({ meetingId }) => meetingId)).to.deep.equal(["m", "n"]);
    expect(told.meetings[0]?.routers).to.deep.equal([
      { workerId: "a1", routerId: "m-c", producerCapacity: null, consumerCapacity: 12, capacity: null },
      { workerId: "a0", routerId: "m-p", producerCapacity: 4, consumerCapacity: null, capacity: null },
    ]);
    expect((await meetings().configurationOf("c")).meetings).to.deep.equal([]);
    expect(await failureOf(meetings().configurationOf("?"))).to.be.instanceOf(ContainerNotFoundError);
  });

  describe("replace", () => {
    const replace = (to: string, from = "a", meetingId = "m") =>
      meetings().replace({ meetingId, fromContainerId: from, toContainerId: to, routers: routersOn(to, meetingId) });

    it("moves a meeting off a dead node once, however many try, and tells the others where it is", async () => {
      for (let round = 0; round < 10; round += 1) {
        const meetingId = `m${round}`;
        await seedByPlainSql(bench.dataSource, { meetingId, containerId: "a", workers: ["a0", "a1"], people: 2 });
        await kill("a");
        const targets = ["b", "c", "b", "c", "b", "c", "b", "c"];
        const outcomes = await Promise.all(targets.map((to) => replace(to, "a", meetingId)));
        const winner = targets[outcomes.findIndex(({ outcome }) => outcome === "replaced")] as string;
        const losses = outcomes.filter(({ outcome }) => outcome !== "replaced");
        expect(losses).to.have.length(7);
        for (const loss of losses) expect(loss).to.deep.equal({ outcome: "lost", containerId: winner });
        const { routers, participants } = await meetings().describe(meetingId);
        expect(routers.map(({ routerId, containerId }) => [routerId, containerId])).to.deep.equal([
          [`${meetingId}-c`, winner],
          [`${meetingId}-p`, winner],
        ]);
        expect(participants).to.deep.equal([]);
        await meetings().end(meetingId);
      }
      expect(await rowCounts(bench.dataSource)).to.deep.equal({});
    });

    it("does not rob a node that came back", async () => {
      await create("m");
      await kill("a");
      await bench.repositories.fleet.recordHeartbeat("a");
      expect(await replace("b")).to.deep.equal({ outcome: "still-alive" });
      expect(await meetings().findContainerId("m")).to.equal("a");
    });

    it("moves onto a live node only, and keeps everything when it cannot", async () => {
      await create("m");
      await kill("a");
      await kill("b");
      expect(await failureOf(replace("b"))).to.be.instanceOf(ContainerNotAliveError);
      expect(await failureOf(replace("c", "a", "none"))).to.be.instanceOf(MeetingNotFoundError);
      expect(await meetings().findContainerId("m")).to.equal("a");
      expect(await replace("c")).to.deep.equal({ outcome: "replaced" });
    });

    it("confirms what was reserved on the new node", async () => {
      await create("m");
      await kill("a");
      await kill("b");
      const placed = await bench.repositories.fleet.allocate({
        tenant: "t",
        producerCapacity: 4,
        consumerCapacity: 12,
      });
      const [producer, consumer] = routersOn("c", "m");
      const move = { meetingId: "m", fromContainerId: "a", toContainerId: placed.containerId };
      const { reservationId } = placed;
      const routers = [producer, consumer] as NonNullable<typeof producer>[];
      expect(await meetings().replace({ ...move, reservationId, routers })).to.deep.equal({ outcome: "replaced" });
      expect(await query("SELECT * FROM placement_reservation")).to.deep.equal([]);
    });
  });

  describe("deletes", () => {
    const people = 5;
    const seed = (meetingId: string) =>
      seedByPlainSql(bench.dataSource, { meetingId, containerId: "a", workers: ["a0", "a1"], people });

    it("end leaves nothing of the meeting in any table, and everything of another", async () => {
      await seed("m");
      const one = await rowCounts(bench.dataSource);
      expect(Object.keys(one)).to.have.length(10);
      await seed("n");
      expect(await meetings().end("m")).to.equal("ended");
      expect(await rowCounts(bench.dataSource)).to.deep.equal(one);
      expect(await meetings().end("m")).to.equal("not-found");
      expect(await meetings().end("n")).to.equal("ended");
      expect(await rowCounts(bench.dataSource)).to.deep.equal({});
    });

    it("another program's bare DELETE leaves nothing either, and one over several meetings", async () => {
      await seed("m");
      const one = await rowCounts(bench.dataSource);
      for (const meetingId of ["n", "o", "p"]) await seed(meetingId);
      await query("DELETE FROM meeting_status WHERE meeting_id = ?", ["m"]);
      await query("DELETE FROM meeting_status WHERE meeting_id IN ('n', 'o')");
      expect(await rowCounts(bench.dataSource)).to.deep.equal(one);
      await query(
        `DELETE FROM meeting_status WHERE meeting_id IN (SELECT meeting_id FROM router_meeting WHERE container_id = 'a')`,
      );
      expect(await rowCounts(bench.dataSource)).to.deep.equal({});
    });

    it("keep the loads right when routers go by any way", async () => {
      for (const meetingId of ["m", "n", "o"]) await create(meetingId);
      await query("DELETE FROM router_worker WHERE router_id = 'm-p'");
      await query("DELETE FROM router_meeting WHERE router_id = 'm-c'");
      await query(
        "DELETE FROM router_worker WHERE router_id IN (SELECT router_id FROM router_meeting WHERE meeting_id = 'n')",
      );
      await query(
        "DELETE r FROM router_worker r JOIN router_meeting m ON m.router_id = r.router_id WHERE m.meeting_id = 'o'",
      );
      await create("p");
      await query("UPDATE router_worker SET worker_id = 'a3' WHERE router_id = 'p-p'");
      await query("UPDATE router_meeting SET producer_capacity = 7 WHERE router_id = 'p-p'");
      const [row] = await query<{ used: string }>("SELECT used FROM worker_load WHERE worker_id = 'a3'");
      expect(Number(row?.used)).to.equal(7);
    });

    it("sweepOrphans removes what older versions left, and nothing else", async () => {
      await seed("m");
      const whole = await rowCounts(bench.dataSource);
      await bench.dataSource.transaction(async (manager) => {
        await manager.query("SET SESSION foreign_key_checks = 0");
        await manager.query(
          "INSERT INTO router_worker (worker_id, router_id) VALUES ('a0', 'leaked'), ('a1', 'leaked-2')",
        );
        await manager.query(
          "INSERT INTO participant_producer_transport (participant_id, transport_id) VALUES ('gone', 'gt')",
        );
        await manager.query(
          `INSERT INTO participant_consumers (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
           VALUES ('m-p0', 1, 'gone', 'audio', 'gk', 'm', 'm-p0-ct')`,
        );
        await manager.query(
          "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES ('old', 'x', 'i')",
        );
      });
      const removed = await meetings().sweepOrphans();
      expect([...removed].filter(([, rows]) => rows > 0)).to.deep.equal([
        ["participant_consumers", 1],
        ["participant_producer_transport", 1],
        ["participant_meeting", 1],
        ["router_worker", 2],
      ]);
      expect(await rowCounts(bench.dataSource)).to.deep.equal(whole);
      expect([...(await meetings().sweepOrphans()).values()].every((rows) => rows === 0)).to.equal(true);
    });
  });
});
