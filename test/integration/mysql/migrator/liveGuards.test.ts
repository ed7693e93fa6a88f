import { EventEmitter, once } from "node:events";
import { expect } from "chai";
import { CreateMeetingTables1795302000000 } from "../../../../migrations/1795302000000-CreateMeetingTables.js";
import { type AdoptionError, OperationAbortedError } from "../../../../src/errors.js";
import { findDrift } from "../../../../src/mysql/migrator/drift.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent } from "../../../../src/mysql/migrator/progress.js";
import { readLiveSchema } from "../../../../src/mysql/migrator/schemaReader.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { failureOf, mysqlConfig, withDataSource } from "../testDataSource.js";
import { ADOPTED_TABLES, createHandmadeTables, FEW, fillHandmadeTables, type Handmade } from "./adoptedDatabase.js";
import { freshDatabase } from "./freshDatabase.js";
import { OtherPrograms } from "./otherPrograms.js";

/** One attempt of the migrator's, after which the others get through. */
const ATTEMPT_MS = 1_000;
const SLACK_MS = 1_500;
/** The tables whose primary key is the participant. */
const PARTICIPANT_KEYED = /^participant_(?:meeting|\w+_router|\w+_transport)$/;

describe("in the middle of an adoption", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;
  let programs: OtherPrograms;

  afterEach(async () => {
    await programs?.end();
    await server?.stop();
  });

  const open = async (args: readonly string[], how: Handmade = {}) => {
    server = await startMysqlServer({ args });
    environment = await freshDatabase(server, "middle");
    await withDataSource(environment, {}, async (database) => {
      await createHandmadeTables(database, how);
      await fillHandmadeTables(database, FEW);
    });
    programs = new OtherPrograms(environment);
  };
  const count = async (table: string, where: string) => {
    const [row] = await programs.query(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`);
    return Number(row.n);
  };
  const errnoOf = (sql: string) =>
    programs.query(sql).then(
      () => undefined,
      (error: { errno: number }) => error.errno,
    );
  const drift = () => withDataSource(environment, {}, findDrift);

  /** Migrates until, unless told otherwise, the children of meetings are changed and the meetings are not yet. */
  const stopBeforeMeetings = async (last = /^ALTER TABLE router_meeting\b.* MODIFY/): Promise<MigrationEvent[]> => {
    const told: MigrationEvent[] = [];
    const stop = new AbortController();
    const onProgress = (event: MigrationEvent) => {
      told.push(event);
      // The signal is looked at before the next statement.
      if (event.kind === "statement" && last.test(event.sql)) stop.abort();
    };
    const error = await failureOf(runMigrations(mysqlConfig(environment), { onProgress, signal: stop.signal }));
    expect(error).to.be.instanceOf(OperationAbortedError);
    return told;
  };
  const expectGone = async () => {
    for (const table of ["router_meeting", "participant_meeting", "participant_producers", "participant_consumers"])
      expect(await count(table, "meeting_id = 'meeting-é-1'"), table).to.equal(0);
    expect(await count("participant_consumer_transport", "participant_id LIKE 'meeting-é-1-%'")).to.equal(0);
    expect(await count("participant_meeting", "meeting_id = 'meeting-é-2'")).to.equal(FEW.peoplePerMeeting);
  };

  it("triggers stand in for the foreign keys, and the next run goes on to a whole end", async () => {
    await open([]);
    await stopBeforeMeetings();
    expect(await errnoOf("INSERT INTO participant_meeting VALUES ('no-such-meeting', 'p', 'tab')")).to.equal(1452);
    await programs.query(
      "INSERT INTO participant_meeting VALUES ('meeting-é-1', 'late', 'tab'), (NULL, 'nowhere', 'tab')",
    );
    await programs.query("DELETE FROM meeting_status WHERE meeting_id = 'meeting-é-1'");
    await expectGone();
    expect(await errnoOf("DELETE FROM worker_container WHERE worker_id = 'node-0-w0'")).to.equal(1451);
    await runMigrations(mysqlConfig(environment));
    expect(await drift()).to.deep.equal({ tables: [] });
  });

  it("triggers carry on a cascade that starts at a foreign key which has nothing to wait for", async () => {
    const columns = Object.fromEntries(
      ADOPTED_TABLES.flatMap((table) => [
        [`${table}.participant_id`, `varchar(60) ${PARTICIPANT_KEYED.test(table) ? "NOT NULL" : "NULL"}`],
        [`${table}.target_participant_id`, "varchar(60)"],
      ]),
    );
    await open([], { collation: "utf8mb4_bin", columns });
    await stopBeforeMeetings(/^ALTER TABLE participant_producer_router\b.* MODIFY/);
    await programs.query("DELETE FROM meeting_status WHERE meeting_id = 'meeting-é-1'");
    await expectGone();
    await runMigrations(mysqlConfig(environment));
    expect(await drift()).to.deep.equal({ tables: [] });
  });

  const REFUSING = ["--log-bin=bin", "--server-id=1", "--log-bin-trust-function-creators=OFF"];

  it("without the right to create triggers (1419) says so; ended in the middle, it tells the next run's operator what lost its parent", async () => {
    await open(REFUSING);
    const told = await stopBeforeMeetings();
    const warnings = told.filter(({ kind }) => kind === "refused").map(({ message }) => message);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/1419.*foreign keys of those being changed do not hold/);
    await programs.query("DELETE FROM meeting_status WHERE meeting_id = 'meeting-é-1'");
    const error = (await failureOf(runMigrations(mysqlConfig(environment)))) as AdoptionError;
    expect(error.problems.map(({ table, problem }) => `${table} ${problem}`)).to.include(
      "participant_meeting has 4 row(s) whose meeting_id is not in meeting_status",
    );
    for (const remedy of error.problems.flatMap(({ remedies = [] }) => remedies)) await programs.query(remedy);
    await runMigrations(mysqlConfig(environment));
    await expectGone();
    const { tables } = await drift();
    for (const line of tables.flatMap(({ lines }) => lines)) expect(line).to.match(/^- CREATE TRIGGER trg_/);
  });

  it("without triggers, a run that is not ended clears up what lost its parent meanwhile", async () => {
    await open(REFUSING);
    await withDataSource(environment, {}, async (dataSource) => {
      const runner = dataSource.createQueryRunner();
      await runner.query("SET foreign_key_checks = 0");
      for (const step of new CreateMeetingTables1795302000000().upSteps) {
        const statement = step.pending(await readLiveSchema(runner));
        if (statement?.sql.startsWith("ALTER TABLE meeting_status")) {
          await programs.query("INSERT INTO participant_meeting VALUES ('no-such-meeting', 'p', 'tab')");
          await programs.query("DELETE FROM meeting_status WHERE meeting_id = 'meeting-é-1'");
          expect(await count("participant_meeting", "meeting_id = 'meeting-é-1'")).to.equal(FEW.peoplePerMeeting);
        }
        if (statement && !step.refusable) await runner.query(statement.sql);
      }
      await runner.release();
    });
    // Its cascade is the engine's, whatever that deletes; here it is one level deep.
    expect(await count("participant_meeting", "meeting_id IN ('meeting-é-1', 'no-such-meeting')")).to.equal(0);
    expect(await count("router_meeting", "meeting_id = 'meeting-é-1'")).to.equal(0);
    const { tables } = await drift();
    expect(tables.flatMap(({ lines }) => lines).filter((line) => /FOREIGN KEY|adopting/.test(line))).to.deep.equal([]);
  });

  it("where MySQL's foreign keys are InnoDB's own, they stay, and no trigger is needed", async function () {
    await open(["--loose-innodb-native-foreign-keys=ON"]);
    // MariaDB has to drop them in any case.
    if (server.version.includes("MariaDB")) return this.skip();
    const told = await stopBeforeMeetings();
    expect(await errnoOf("INSERT INTO participant_meeting VALUES ('no-such-meeting', 'p', 'tab')")).to.equal(1452);
    await programs.query("DELETE FROM meeting_status WHERE meeting_id = 'meeting-é-1'");
    await expectGone();
    const statements = told.flatMap((event) => (event.kind === "statement" ? [event.sql] : []));
    expect(statements.filter((sql) => sql.includes("adopting_"))).to.deep.equal([]);
    await runMigrations(mysqlConfig(environment));
    expect(await drift()).to.deep.equal({ tables: [] });
  });

  it("tries again while a transaction holds a table, and lets the others through meanwhile", async () => {
    await open([]);
    const events = new EventEmitter();
    const twice = once(events, "second attempt failed");
    const onProgress = (event: MigrationEvent) => {
      if (event.kind === "retrying" && event.table === "container_status" && event.attempt === 2)
        events.emit("second attempt failed");
    };
    let run: Promise<unknown> | undefined;
    await programs.transaction(async (transaction) => {
      await transaction.query("UPDATE container_status SET status = 1 WHERE container_id = 'node-0'");
      run = runMigrations(mysqlConfig(environment), { onProgress });
      let held = false;
      const others = async () => {
        while (!held) await programs.query("UPDATE container_status SET status = 0 WHERE container_id = 'node-1'");
      };
      const beside = others();
      await Promise.race([twice, run.then(() => expect.fail("The run was not held"))]);
      held = true;
      await beside;
    });
    await run;
    expect(programs.failures()).to.deep.equal([]);
    expect(programs.longestMs(/node-1/)).to.be.below(ATTEMPT_MS + SLACK_MS);
    expect(await drift()).to.deep.equal({ tables: [] });
  });
});
