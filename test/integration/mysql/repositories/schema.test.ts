import { expect } from "chai";
import { createRepositories, type Repositories } from "../../../../src/mysql/repositories/index.js";
import { fullScans, recordingDatabase } from "./scans.js";
import { type Bench, openBench, seedByPlainSql } from "./support.js";

const NODES = 300;
const TENANTS = 30;
const MEETINGS = 600;

describe("the schema, under a large fleet", function () {
  this.timeout(120_000);
  let bench: Bench;
  const node = (n: number) => `n${n}`;

  before(async () => {
    bench = await openBench();
    await seedFleet();
    await seedMeetings();
    await seedByPlainSql(bench.dataSource, {
      meetingId: "big",
      containerId: "n1",
      workers: ["n1-0", "n1-1"],
      people: 12,
    });
    for (const table of await tables()) await bench.dataSource.query(`ANALYZE TABLE ${table}`);
  });
  after(() => bench?.close());

  const tables = async () => {
    const rows: Record<string, string>[] = await bench.dataSource.query("SHOW TABLES");
    return rows.flatMap((row) => Object.values(row));
  };
  const insert = (into: string, rows: unknown[]) => bench.dataSource.query(`INSERT INTO ${into} VALUES ?`, [rows]);
  const range = (length: number) => Array.from({ length }, (_, n) => n);
  const seedFleet = async () => {
    const now = (BigInt(Date.now()) * 1_000_000n).toString();
    const beats = range(NODES).map((n) => [node(n), `h${n}`, `t${n % TENANTS}`, now]);
    await insert("container_heartbeat (container_id, host, tenant, heartbeat)", beats);
    const workers = range(NODES).flatMap((n) => range(4).map((w) => [node(n), `${node(n)}-${w}`]));
    await insert("worker_container (container_id, worker_id)", workers);
    await insert(
      "container_status (container_id, status)",
      range(NODES).map((n) => [node(n), 1]),
    );
  };
  const seedMeetings = async () => {
    const routers = range(MEETINGS).flatMap((m) => range(2).map((r) => ({ m, r, n: m % NODES })));
    await insert(
      "meeting_status (meeting_id, enabled)",
      range(MEETINGS).map((m) => [`m${m}`, 1]),
    );
    const workers = routers.map(({ m, r, n }) => [`${node(n)}-${r}`, `m${m}-${r}`]);
    await insert("router_worker (worker_id, router_id)", workers);
    const rows = routers.map(({ m, r, n }) => [`m${m}-${r}`, `m${m}`, r ? null : 10, r ? 40 : null, node(n)]);
    await insert("router_meeting (router_id, meeting_id, producer_capacity, consumer_capacity, container_id)", rows);
    const people = range(MEETINGS * 2).map((p) => [`m${p % MEETINGS}`, `p${p}`, "i"]);
    await insert("participant_meeting (meeting_id, participant_id, instance_id)", people);
    const ids = people.map(([, p]) => p as string);
    await insert(
      "participant_producer_transport (participant_id, transport_id)",
      ids.map((p) => [p, `${p}-pt`]),
    );
    await insert(
      "participant_consumer_transport (participant_id, transport_id)",
      ids.map((p) => [p, `${p}-ct`]),
    );
    await insert(
      "participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)",
      people.map(([m, p]) => [p, 1, "audio", `${p}-audio`, m, `${p}-pt`]),
    );
    await insert(
      "participant_consumers (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)",
      people.map(([m, p], n) => [p, 1, people[(n + MEETINGS) % people.length]?.[1], "audio", `k${n}`, m, `${p}-ct`]),
    );
    const reservations = range(500).map((n) => [`r${n}`, `${node(n % NODES)}-2`, node(n % NODES), "producer", 0]);
    await bench.dataSource.query(
      "INSERT INTO placement_reservation (reservation_id, worker_id, container_id, role, amount, expires_at) VALUES ?",
      [reservations.map((row) => [...row, new Date(Date.now() + 3_600_000)])],
    );
  };

  const routers = (n: number, meetingId: string) => [
    { routerId: `${meetingId}-p`, workerId: `${node(n)}-0`, producerCapacity: 1 },
    { routerId: `${meetingId}-c`, workerId: `${node(n)}-1`, consumerCapacity: 1 },
  ];
  const newNode = { containerId: "new", host: "h", tenant: "t1", workerIds: ["new-0", "new-1"] };
  const operations: Record<string, (repositories: Repositories) => Promise<unknown>> = {
    "fleet.registerContainer": ({ fleet }) => fleet.registerContainer(newNode),
    "fleet.recordHeartbeat": ({ fleet }) => fleet.recordHeartbeat("n7"),
    "fleet.setStatus": ({ fleet }) => fleet.setStatus("n7", true),
    "fleet.removeContainer": ({ fleet }) => fleet.removeContainer("new"),
    "fleet.listContainers": ({ fleet }) => fleet.listContainers({ tenant: "t1" }),
    "fleet.findStaleContainers": ({ fleet }) => fleet.findStaleContainers(),
    "fleet.findStaleContainers of a tenant": ({ fleet }) => fleet.findStaleContainers({ tenant: "t1" }),
    "fleet.allocate and release": async ({ fleet }) => {
      const { reservationId } = await fleet.allocate({ tenant: "t1", producerCapacity: 5, consumerCapacity: 600 });
      await fleet.release(reservationId);
    },
    "fleet.allocate when something has expired": async ({ fleet }) => {
      await fleet.allocate({ tenant: "t1", producerCapacity: 5, consumerCapacity: 6, reservationMs: 1 });
      await bench.dataSource.query("SELECT SLEEP(0.01)");
      await fleet.allocate({ tenant: "t1", producerCapacity: 5, consumerCapacity: 6, reservationMs: 1 });
    },
    "fleet.findReplacement": ({ fleet }) => fleet.findReplacement({ tenant: "t1", forContainerId: "n31" }),
    "meetings.create": ({ meetings }) =>
      meetings.create({ meetingId: "x", containerId: "n5", routers: routers(5, "x") }),
    "meetings.exists": ({ meetings }) => meetings.exists("m3"),
    "meetings.findHost": ({ meetings }) => meetings.findHost("m3"),
    "meetings.describe": ({ meetings }) => meetings.describe("m3"),
    "meetings.describe of a larger one": ({ meetings }) => meetings.describe("big"),
    "meetings.configurationOf": ({ meetings }) => meetings.configurationOf("n3"),
    "meetings.replace": async ({ meetings }) => {
      await bench.dataSource.query("UPDATE container_heartbeat SET heartbeat = 0 WHERE container_id = 'n5'");
      const move = { meetingId: "x", fromContainerId: "n5", toContainerId: "n6", routers: routers(6, "x") };
      expect(await meetings.replace(move)).to.deep.equal({ outcome: "replaced" });
    },
    "meetings.end": async ({ meetings }) => expect(await meetings.end("x")).to.equal("ended"),
  };
  for (const [name, operation] of Object.entries(operations)) {
    it(`reads no table from end to end for ${name}`, async () => {
      const { database, statements } = recordingDatabase(bench.dataSource);
      await operation(createRepositories(database));
      expect(statements).to.not.be.empty;
      expect(await fullScans(bench.dataSource, statements)).to.deep.equal([]);
    });
  }

  it("notices a scan: this test can fail", async () => {
    const { database, statements } = recordingDatabase(bench.dataSource);
    await database.query("SELECT * FROM participant_meeting WHERE instance_id = ?", ["i"]);
    expect(await fullScans(bench.dataSource, statements)).to.have.length(1);
  });

  it("needs the same few round trips to describe a meeting of 2 and of 12", async () => {
    const count = async (meetingId: string) => {
      const { database, statements } = recordingDatabase(bench.dataSource);
      await createRepositories(database).meetings.describe(meetingId);
      return statements.length;
    };
    expect([await count("m3"), await count("big")]).to.deep.equal([5, 5]);
  });
});
