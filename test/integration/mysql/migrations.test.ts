import { readdirSync } from "node:fs";
import { expect } from "chai";
import { migrations } from "../../../migrations/index.js";
import { closeDataSource, createDataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import {
  type MigrationOptions,
  migrationStatus,
  pendingMigrations,
  planMigrations,
  revertMigrations,
  runMigrations,
} from "../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent } from "../../../src/mysql/migrator/progress.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { freshDatabase, schemaOf, withMigrations } from "./migrator/freshDatabase.js";
import { failureOf, mysqlConfig, withDataSource } from "./testDataSource.js";

describe("migrations", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;
  let databases = 0;
  const names = [
    "CreateMeetingTables1795302000000",
    "AddPrimaryKeys1795305600000",
    "AddOperationIndexes1795309200000",
    "CreatePlacementTables1795312800000",
    "AddTriggers1795316400000",
    "CountLoads1795320000000",
  ];

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    databases += 1;
    environment = await freshDatabase(server, `migrations_${databases}`);
  });

  const config = () => mysqlConfig(environment);
  const run = (options?: MigrationOptions) => runMigrations(config(), options);
  const query = (sql: string) => withDataSource(environment, {}, (dataSource) => dataSource.query(sql));
  const pending = () => withDataSource(environment, {}, pendingMigrations);

  it("are pending on an empty database, looking alone changes nothing, and running them makes them not", async () => {
    expect(await pending()).to.deep.equal(names);
    const statuses = await migrationStatus(config());
    expect(statuses.map(({ name, state }) => [name, state])).to.deep.equal(names.map((name) => [name, "pending"]));
    const plan = await planMigrations(config());
    expect(plan.map(({ name }) => name)).to.deep.equal(["migrations", ...names]);
    expect(await query("SHOW TABLES")).to.deep.equal([]);
    expect(await run()).to.deep.equal(names);
    expect(await pending()).to.deep.equal([]);
    expect(await run()).to.deep.equal([]);
    expect(await planMigrations(config())).to.deep.equal([]);
    expect(await query("SHOW TABLES")).to.have.length(17);
  });

  it("send exactly the statements that were planned, and tell each before it runs", async () => {
    const plan = await planMigrations(config());
    const events: MigrationEvent[] = [];
    await run({ onProgress: (event) => events.push(event) });
    const told = events.flatMap((event) => (event.kind === "statement" ? [event] : []));
    expect(told.map(({ sql }) => sql)).to.deep.equal(
      plan.flatMap(({ statements }) => statements.map(({ sql }) => sql)),
    );
    expect(events.flatMap((event) => (event.kind === "applied" ? event.migration : []))).to.deep.equal(names);
    for (const { message } of events) expect(message).to.match(/^\S.*\S$/);
  });

  it("say when each was applied, by the database's clock", async () => {
    const clock = async () => new Date(`${(await query("SELECT CAST(UTC_TIMESTAMP(3) AS CHAR) AS t"))[0].t}Z`);
    const before = await clock();
    await run();
    const after = await clock();
    for (const { state, appliedAt, problem } of await migrationStatus(config())) {
      expect(state).to.equal("applied");
      expect(problem).to.equal(undefined);
      expect(appliedAt).to.be.within(before, after);
    }
  });

  it("go up, down to nothing, and up again, each step to the same schema", async () => {
    const rounds: string[][] = [];
    for (let round = 0; round < 2; round += 1) {
      const texts: string[] = [];
      await run();
      for (const name of names.toReversed()) {
        texts.push(await schemaOf(environment));
        expect(await revertMigrations(config())).to.deep.equal([name]);
      }
      expect(await query("SHOW TABLES")).to.have.length(1);
      expect(await query("SELECT * FROM migrations")).to.deep.equal([]);
      rounds.push(texts);
    }
    expect(rounds[1]).to.deep.equal(rounds[0]);
    // The last one changes rows alone.
    expect(new Set(rounds[0])).to.have.length(names.length - 1);
  });

  it("leave on the way down what each way up had made", async () => {
    const upTo: string[] = [];
    for (let count = 1; count <= names.length; count += 1) {
      await withMigrations(environment, migrations.slice(0, count), (migrator) => migrator.runMigrations());
      upTo.push(await schemaOf(environment));
    }
    for (let count = names.length; count >= 1; count -= 1) {
      expect(await schemaOf(environment)).to.equal(upTo[count - 1]);
      await revertMigrations(config());
    }
  });

  it("are taken back several at a time, the newest first, and no more than there are", async () => {
    await run();
    expect(await revertMigrations(config(), 2)).to.deep.equal(names.slice(-2).toReversed());
    expect(await revertMigrations(config(), 99)).to.deep.equal(names.slice(0, -2).toReversed());
    expect(await revertMigrations(config())).to.deep.equal([]);
    for (const count of [0, -1, 1.5, Number.NaN])
      expect(await failureOf(revertMigrations(config(), count))).to.have.property("code", "ErrInvalidInput");
  });

  it("are not taken back where rows would be lost, unless that is allowed", async () => {
    await run();
    await query("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1), ('n', 1)");
    await query("INSERT INTO participant_meeting (meeting_id, participant_id) VALUES ('m', 'p')");
    const before = await schemaOf(environment);
    const error = await failureOf(revertMigrations(config(), names.length));
    expect(error).to.deep.include({
      code: "ErrDataLoss",
      tables: [
        { table: "participant_meeting", rows: 1 },
        { table: "meeting_status", rows: 2 },
      ],
    });
    expect(error.message).to.include("participant_meeting has 1, meeting_status has 2");
    expect(await schemaOf(environment)).to.equal(before);
    expect(await revertMigrations(config(), names.length - 1)).to.have.length(names.length - 1);
    expect(await query("SELECT meeting_id FROM meeting_status")).to.have.length(2);
    expect(await revertMigrations(config(), 1, { allowDataLoss: true })).to.deep.equal(names.slice(0, 1));
    expect(await query("SHOW TABLES")).to.have.length(1);
  });

  it("are not taken back either where rows come while they are", () =>
    withDataSource(environment, {}, async (dataSource) => {
      await withMigrations(environment, migrations.slice(0, 1), (migrator) => migrator.runMigrations());
      const writer = dataSource.createQueryRunner();
      await writer.startTransaction();
      await writer.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)");
      let commit: Promise<void> | undefined;
      const onProgress = ({ kind }: MigrationEvent) => {
        if (kind === "retrying") commit ??= writer.commitTransaction();
      };
      const error = await failureOf(
        withMigrations(environment, migrations.slice(0, 1), (migrator) => migrator.undoLastMigration(), { onProgress }),
      );
      expect(error).to.deep.include({ code: "ErrDataLoss", tables: [{ table: "meeting_status", rows: 1 }] });
      await commit;
      await writer.release();
      await run();
      expect(await query("SELECT meeting_id FROM meeting_status")).to.deep.equal([{ meeting_id: "m" }]);
    }));

  it("may be run again after a run that died before it was recorded", async () => {
    await run();
    const schema = await schemaOf(environment);
    await query("DELETE FROM migrations");
    await query("ALTER TABLE router_meeting DROP PRIMARY KEY");
    await query("DROP TABLE participant_consumers");
    expect(await run()).to.deep.equal(names);
    expect(await schemaOf(environment)).to.equal(schema);
  });

  it("run without the limits on statements", async () => {
    const short = mysqlConfig(server.environment, { queryTimeoutMs: 100 });
    const dataSource = createDataSource(short, { limitStatements: false });
    await openDataSource(dataSource, 5_000);
    // MySQL calls the result a BIGINT, which comes as text.
    expect(Number((await dataSource.query("SELECT SLEEP(0.3) AS n"))[0].n)).to.equal(0);
    await closeDataSource(dataSource, 1_000);
  });

  it("are those in the list, named for their files, and each has its way down", () => {
    const files = readdirSync(new URL("../../../migrations", import.meta.url)).filter((file) => /^\d/.test(file));
    const inFiles = files.sort().map((file) => file.replace(/^(\d+)-(.*)\.ts$/, "$2$1"));
    expect(migrations.map(({ name }) => name)).to.deep.equal(inFiles);
    expect(inFiles).to.deep.equal(names);
    for (const migration of migrations) expect(new migration().downSteps).to.not.be.empty;
  });
});
