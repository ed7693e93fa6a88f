import { expect } from "chai";
import type { DataSource } from "../../../../src/mysql/dataSource.js";
import { type Bench, empty, loads, openBench, rowCounts } from "./support.js";

/** The running services with their own SQL, as "Who writes what today" tells it. */
class RunningServices {
  constructor(readonly dataSource: DataSource) {}

  async boot(containerId: string, tenant: string, workers: readonly string[]): Promise<void> {
    const heartbeat = (BigInt(Date.now()) * 1_000_000n).toString();
    await this.dataSource.transaction(async (manager) => {
      const beat = "INSERT INTO container_heartbeat (container_id, host, tenant, heartbeat) VALUES (?, ?, ?, ?)";
      await manager.query(beat, [containerId, `host-${containerId}`, tenant, heartbeat]);
      for (const worker of workers)
        await manager.query("INSERT INTO worker_container (container_id, worker_id) VALUES (?, ?)", [
          containerId,
          worker,
        ]);
    });
  }

  async beat(containerId: string, heartbeat: bigint): Promise<void> {
    const sql = "UPDATE container_heartbeat SET heartbeat = ? WHERE container_id = ?";
    await this.dataSource.query(sql, [heartbeat.toString(), containerId]);
  }

  async createMeeting(meetingId: string, containerId: string, [producers, consumers]: readonly [string, string]) {
    await this.dataSource.transaction(async (manager) => {
      await manager.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
      await this.addRouters(manager, meetingId, containerId, [producers, consumers]);
    });
  }

  /** Deletes the meeting and enters it anew, in one SERIALIZABLE transaction. */
  async replace(meetingId: string, containerId: string, workers: readonly [string, string]): Promise<void> {
    await this.dataSource.transaction("SERIALIZABLE", async (manager) => {
      const routers: { router_id: string }[] = await manager.query(
        "SELECT router_id FROM router_meeting WHERE meeting_id = ?",
        [meetingId],
      );
      await manager.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meetingId]);
      await manager.query("DELETE FROM router_worker WHERE router_id IN (?)", [routers.map((row) => row.router_id)]);
      await manager.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
      await this.addRouters(manager, meetingId, containerId, workers);
    });
  }

  async join(meetingId: string, participantId: string, instanceId: string): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      await manager.query(
        "DELETE FROM participant_meeting WHERE participant_id = ? AND meeting_id = ? AND instance_id <> ?",
        [participantId, meetingId, instanceId],
      );
      await manager.query(
        "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES (?, ?, ?)",
        [meetingId, participantId, instanceId],
      );
      for (const [role, suffix] of [
        ["producer", "p"],
        ["consumer", "c"],
      ])
        await manager.query(`INSERT INTO participant_${role}_router (participant_id, router_id) VALUES (?, ?)`, [
          participantId,
          `${meetingId}-${suffix}`,
        ]);
    });
  }

  async transport(role: "producer" | "consumer", participantId: string, transportId: string): Promise<void> {
    await this.dataSource.query(`DELETE FROM participant_${role}_transport WHERE participant_id = ?`, [participantId]);
    const sql = `INSERT INTO participant_${role}_transport (participant_id, transport_id) VALUES (?, ?)`;
    await this.dataSource.query(sql, [participantId, transportId]);
  }

  async produce(meetingId: string, participantId: string, kind: string): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)
       VALUES (?, 1, ?, ?, ?, ?)`,
      [participantId, kind, `${participantId}-${kind}`, meetingId, `${participantId}-pt`],
    );
  }

  async consume(meetingId: string, participantId: string, target: string, kinds: readonly string[]): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      for (const kind of kinds)
        await manager.query(
          `INSERT INTO participant_consumers
             (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
           VALUES (?, 1, ?, ?, ?, ?, ?)`,
          [participantId, target, kind, `${participantId}<${target}-${kind}`, meetingId, `${participantId}-ct`],
        );
    });
  }

  async close(participantId: string, producerId: string, consumerIds: readonly string[]): Promise<void> {
    const sql = "DELETE FROM participant_producers WHERE participant_id = ? AND producer_id = ?";
    await this.dataSource.query(sql, [participantId, producerId]);
    for (const id of consumerIds)
      await this.dataSource.query("DELETE FROM participant_consumers WHERE consumer_id = ?", [id]);
  }

  async leave(meetingId: string, participantId: string, instanceId: string): Promise<void> {
    const sql = "DELETE FROM participant_meeting WHERE meeting_id = ? AND participant_id = ? AND instance_id = ?";
    await this.dataSource.query(sql, [meetingId, participantId, instanceId]);
  }

  async end(meetingId: string): Promise<void> {
    await this.dataSource.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meetingId]);
  }

  private async addRouters(
    manager: Pick<DataSource, "query">,
    meetingId: string,
    containerId: string,
    workers: readonly [string, string],
  ): Promise<void> {
    const ids = [`${meetingId}-p`, `${meetingId}-c`];
    for (const [n, id] of ids.entries())
      await manager.query("INSERT INTO router_worker (worker_id, router_id) VALUES (?, ?)", [workers[n], id]);
    await manager.query(
      "INSERT INTO router_meeting (router_id, meeting_id, producer_capacity, container_id) VALUES (?, ?, ?, ?)",
      [ids[0], meetingId, 200, containerId],
    );
    await manager.query(
      "INSERT INTO router_meeting (router_id, meeting_id, consumer_capacity, container_id) VALUES (?, ?, ?, ?)",
      [ids[1], meetingId, 400, containerId],
    );
  }
}

describe("beside the running services, which write with their own SQL", function () {
  this.timeout(120_000);
  let bench: Bench;
  let services: RunningServices;

  before(async () => {
    bench = await openBench();
    services = new RunningServices(bench.dataSource);
  });
  after(() => bench?.close());
  beforeEach(() => empty(bench.dataSource));
  afterEach(async () => {
    const { kept, counted } = await loads(bench.dataSource);
    expect(kept).to.deep.equal(counted);
  });

  it("sees a node they booted, and places beside what they placed", async () => {
    const { fleet } = bench.repositories;
    await services.boot("a", "t", ["a0", "a1"]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    const [node] = await fleet.listContainers({ tenant: "t" });
    expect(node).to.deep.include({ alive: true, meetingIds: ["m"], host: "host-a" });
    expect(node?.workers.map(({ used }) => used)).to.deep.equal([200, 400]);
    const placed = await fleet.allocate({ tenant: "t", producerCapacity: 100, consumerCapacity: 300 });
    expect([placed.producer.workerId, placed.consumers[0]?.workerId]).to.deep.equal(["a1", "a0"]);
    await services.beat("a", 1n);
    expect((await fleet.findStaleContainers({ tenant: "t" })).map(({ heartbeat }) => heartbeat)).to.deep.equal([1n]);
  });

  it("sees a meeting's life, and its end leaves nothing", async () => {
    const { meetings } = bench.repositories;
    await services.boot("a", "t", ["a0", "a1"]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    for (const [id, instance] of [
      ["asha", "tab"],
      ["ravi", "phone"],
      ["asha", "laptop"],
    ] as const)
      await services.join("m", id, instance);
    for (const id of ["asha", "ravi"]) {
      await services.transport("producer", id, `${id}-pt`);
      await services.transport("consumer", id, `${id}-ct`);
    }
    for (const kind of ["audio", "video"]) await services.produce("m", "asha", kind);
    await services.consume("m", "ravi", "asha", ["audio", "video"]);
    const told = await meetings.describe("m");
    expect(told.participants.map(({ participantId, instanceId }) => [participantId, instanceId])).to.deep.equal([
      ["asha", "laptop"],
      ["ravi", "phone"],
    ]);
    expect([told.producers.length, told.consumers.length]).to.deep.equal([2, 2]);
    expect(await meetings.findHost("m")).to.equal("host-a");
    await services.close("asha", "asha-audio", ["ravi<asha-audio"]);
    await services.leave("m", "asha", "tab");
    const later = await meetings.describe("m");
    expect([later.participants.length, later.producers.length, later.consumers.length]).to.deep.equal([2, 1, 1]);
    await services.leave("m", "asha", "laptop");
    await services.end("m");
    expect(await rowCounts(bench.dataSource)).to.deep.equal({});
  });

  it("follows a meeting they moved, and a meeting of ours they end", async () => {
    const { fleet, meetings } = bench.repositories;
    for (const id of ["a", "b"]) await services.boot(id, "t", [`${id}0`, `${id}1`]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    await services.join("m", "asha", "tab");
    await services.replace("m", "b", ["b0", "b1"]);
    expect(await meetings.findContainerId("m")).to.equal("b");
    expect((await fleet.listContainers()).map(({ meetingIds }) => meetingIds)).to.deep.equal([[], ["m"]]);
    const routers = [{ routerId: "o-p", workerId: "a0", producerCapacity: 4 }];
    await meetings.create({ meetingId: "o", containerId: "a", routers });
    await services.end("o");
    await services.end("m");
    expect(await rowCounts(bench.dataSource)).to.deep.equal({});
  });

  it("tells them that a meeting exists by the duplicate key, as before", async () => {
    await services.boot("a", "t", ["a0", "a1"]);
    const routers = [{ routerId: "m-p", workerId: "a0", producerCapacity: 4 }];
    await bench.repositories.meetings.create({ meetingId: "m", containerId: "a", routers });
    const error = await services.createMeeting("m", "a", ["a0", "a1"]).catch((failure: unknown) => failure);
    expect(error).to.include({ errno: 1062 });
  });
});
