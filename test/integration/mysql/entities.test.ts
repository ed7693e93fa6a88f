import { inspect } from "node:util";
import { expect } from "chai";
import { In } from "typeorm";
import { InvalidInputError, QueryError } from "../../../src/errors.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import {
  ContainerHeartbeat,
  entities,
  MeetingStatus,
  ParticipantConsumer,
  ParticipantConsumerTransport,
  ParticipantMeeting,
  ParticipantProducer,
  ParticipantProducerTransport,
} from "../../../src/mysql/entities/index.js";
import { runMigrations } from "../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { failureOf, mysqlConfig } from "./testDataSource.js";

describe("entities", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let dataSource: DataSource;

  before(async () => {
    server = await startMysqlServer();
    await runMigrations(mysqlConfig(server.environment));
    dataSource = createDataSource(mysqlConfig(server.environment));
    await openDataSource(dataSource, 5_000);
  });
  after(async () => {
    if (dataSource) await closeDataSource(dataSource, 1_000);
    await server?.stop();
  });

  it("are 16, one for each table, each with a primary key", async () => {
    const rows: { name: string }[] = await dataSource.query(
      "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations'",
    );
    const mapped = dataSource.entityMetadatas.map(({ tableName }) => tableName);
    expect(mapped)
      .to.have.members(rows.map(({ name }) => name))
      .and.to.have.length(16);
    expect(entities).to.have.length(16);
    for (const { primaryColumns } of dataSource.entityMetadatas) expect(primaryColumns).to.not.be.empty;
  });

  it("fit the migrated schema: TypeORM finds nothing to change", async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).to.deep.equal([]);
  });

  it("keep a heartbeat exact, null included", async () => {
    const heartbeats = dataSource.getRepository(ContainerHeartbeat);
    for (const heartbeat of [1732312345678901234n, 2n ** 63n - 1n, 0n, null]) {
      await heartbeats.insert({ containerId: `c-${heartbeat}`, host: "h", tenant: "t", heartbeat });
      const found = await heartbeats.findOneByOrFail({ containerId: `c-${heartbeat}` });
      expect(found.heartbeat).to.equal(heartbeat);
    }
    expect(await heartbeats.countBy({ heartbeat: 1732312345678901234n })).to.equal(1);
  });

  it("tell ids apart that differ by case, accent or a joiner", async () => {
    const meetings = dataSource.getRepository(MeetingStatus);
    const ids = ["P1", "p1", "é", "e", "e\u200d", "e\u0301"];
    for (const meetingId of ids) await meetings.insert({ meetingId, enabled: 1 });
    for (const meetingId of ids) expect(await meetings.countBy({ meetingId })).to.equal(1);
    expect(await failureOf(meetings.insert({ meetingId: "P1", enabled: 1 }))).to.be.instanceOf(QueryError);
  });

  it("hold an id of 64 characters of four bytes, and no longer one", async () => {
    const meetings = dataSource.getRepository(MeetingStatus);
    await meetings.insert({ meetingId: "😀".repeat(64), enabled: 1 });
    expect(await meetings.existsBy({ meetingId: "😀".repeat(64) })).to.equal(true);
    const error = await failureOf(meetings.insert({ meetingId: "😀".repeat(65), enabled: 1 }));
    expect(error).to.be.instanceOf(InvalidInputError);
  });

  it("refuse what is no id before anything is sent, in rows and in conditions", async () => {
    const meetings = dataSource.getRepository(MeetingStatus);
    await meetings.insert({ meetingId: "refuses", enabled: 1 });
    const before = await meetings.count();
    for (const bad of [0, true, "", "a\0b", "\ud800", "x".repeat(65)] as string[]) {
      for (const attempt of [
        () => meetings.insert({ meetingId: bad, enabled: 1 }),
        () => meetings.delete({ meetingId: bad }),
        () => meetings.update({ meetingId: bad }, { enabled: 0 }),
        () => meetings.findBy({ meetingId: bad }),
        () => meetings.findBy({ meetingId: In(["refuses", bad]) }),
      ]) {
        expect(await failureOf(attempt()), inspect(bad)).to.be.instanceOf(InvalidInputError);
      }
    }
    expect(await meetings.count()).to.equal(before);
    expect(await meetings.countBy({ enabled: 0 })).to.equal(0);
  });

  it("refuse a heartbeat that is a number", async () => {
    const row = { containerId: "c-number", heartbeat: Number(1732312345678901234n) as unknown as bigint };
    const error = await failureOf(dataSource.getRepository(ContainerHeartbeat).insert(row));
    expect(error).to.be.instanceOf(InvalidInputError);
  });

  it("take a meeting's life as the running services write it", async () => {
    const statements = [
      "INSERT INTO container_heartbeat (container_id, host, tenant, heartbeat) VALUES ('c', 'h', 't', 1732312345678901234)",
      "INSERT INTO worker_container (container_id, worker_id) VALUES ('c', 'w')",
      "INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)",
      "INSERT INTO router_worker (worker_id, router_id) VALUES ('w', 'r')",
      "INSERT INTO router_meeting (router_id, meeting_id, producer_capacity, container_id) VALUES ('r', 'm', 4, 'c')",
      "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES ('m', 'a', 'i'), ('m', 'b', 'i')",
      "INSERT INTO participant_producer_router (participant_id, router_id) VALUES ('a', 'r')",
      "INSERT INTO participant_consumer_router (participant_id, router_id) VALUES ('b', 'r')",
      "INSERT INTO participant_producer_transport (participant_id, transport_id) VALUES ('a', 'pt')",
      "INSERT INTO participant_consumer_transport (participant_id, transport_id) VALUES ('b', 'ct')",
      `INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)
       VALUES ('a', 1, 'audio', 'p', 'm', 'pt')`,
      `INSERT INTO participant_consumers (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
       VALUES ('b', 1, 'a', 'audio', 'k', 'm', 'ct')`,
    ];
    for (const statement of statements) await dataSource.query(statement);
    const counts = () =>
      Promise.all(
        [ParticipantProducer, ParticipantConsumer, ParticipantProducerTransport, ParticipantConsumerTransport].map(
          (entity) => dataSource.getRepository(entity).count(),
        ),
      );
    expect(await counts()).to.deep.equal([1, 1, 1, 1]);
    await dataSource.getRepository(ParticipantMeeting).delete({ meetingId: "m" });
    expect(await counts()).to.deep.equal([0, 0, 0, 0]);
    await dataSource.query("DELETE FROM meeting_status WHERE meeting_id = 'm'");
    expect(await dataSource.query("SELECT * FROM router_meeting")).to.deep.equal([]);
  });
});
