import { expect } from "chai";
import { AdoptionError, type AdoptionProblem } from "../../../../src/errors.js";
import { planMigrations, runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent } from "../../../../src/mysql/migrator/progress.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { RunningServices } from "../repositories/runningServices.js";
import { failureOf, mysqlConfig, withDataSource } from "../testDataSource.js";
import {
  createHandmadeTables,
  type Executor,
  FEW,
  fillHandmadeTables,
  type Handmade,
  MANY,
  rowPrints,
} from "./adoptedDatabase.js";
import { freshDatabase, schemaOf } from "./freshDatabase.js";

describe("adopting a database made by hand", function () {
  this.timeout(180_000);
  let server: MysqlServer;
  let environment: Environment;

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    environment = await freshDatabase(server, "adopted");
  });

  const onDatabase = <T>(use: (database: Executor) => Promise<T>) => withDataSource(environment, {}, use);
  const make = (how: Handmade = {}, rows = FEW) =>
    onDatabase(async (database) => {
      await createHandmadeTables(database, how);
      await fillHandmadeTables(database, rows);
    });
  const run = (...statements: string[]) =>
    onDatabase(async (database) => {
      for (const statement of statements) await database.query(statement);
    });
  const migrate = () => runMigrations(mysqlConfig(environment));
  /** What is refused; nothing may have changed then. */
  const problemsOf = async (prints = rowPrints): Promise<readonly AdoptionProblem[]> => {
    const state = async () => ({ schema: await schemaOf(environment), rows: await onDatabase(prints) });
    const before = await state();
    const error = await failureOf(migrate());
    expect(await state()).to.deep.equal(before);
    expect(error).to.be.instanceOf(AdoptionError);
    return (error as AdoptionError).problems;
  };
  const told = (problems: readonly AdoptionProblem[]) => problems.map(({ table, problem }) => `${table} ${problem}`);

  it("keeps 100,000 rows as they are, and the running services' statements go on", async () => {
    await make({}, MANY);
    const before = await onDatabase(rowPrints);
    expect(before.participant_consumers).to.match(/^94600 rows/);
    await migrate();
    expect(await onDatabase(rowPrints)).to.deep.equal(before);
    await withDataSource(environment, {}, async (database) => {
      const services = new RunningServices(database);
      await services.boot("n", "t", ["n0", "n1"]);
      await services.beat("n", 1_732_312_345_678_901_235n);
      await services.createMeeting("m", "n", ["n0", "n1"]);
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
      await services.produce("m", "asha", "audio");
      await services.consume("m", "ravi", "asha", ["audio"]);
      await services.replace("meeting-é-0", "n", ["n0", "n1"]);
      await services.close("asha", "asha-audio", ["ravi<asha-audio"]);
      await services.leave("m", "ravi", "phone");
      await services.end("m");
      for (let m = 0; m < MANY.meetings; m += 1) await services.end(`meeting-é-${m}`);
      const left = await rowPrints(database);
      const emptied = Object.entries(left)
        .filter(([, print]) => print === "0 rows, 0")
        .map(([table]) => table);
      expect(emptied).to.have.length(10);
    });
  });

  it("sends exactly the statements that were planned", async () => {
    await make({ withoutForeignKeys: ["router_worker"] });
    const plan = await planMigrations(mysqlConfig(environment));
    const told: unknown[] = [];
    const onProgress = (event: MigrationEvent) => {
      if (event.kind === "statement") told.push([event.sql, event.blocks, event.rebuilds]);
    };
    await runMigrations(mysqlConfig(environment), { onProgress });
    expect(told).to.deep.equal(
      plan.flatMap(({ statements }) => statements.map(({ sql, blocks, rebuilds }) => [sql, blocks, rebuilds])),
    );
  });

  it("refuses every difference it cannot live with, together", async () => {
    await onDatabase((database) =>
      createHandmadeTables(database, {
        columns: {
          "meeting_status.enabled": "BIGINT",
          "container_heartbeat.heartbeat": "BIGINT UNSIGNED",
          "container_heartbeat.host": "varchar(300)",
          "container_heartbeat.tenant": "varchar(255) CHARACTER SET latin1",
          "router_meeting.producer_capacity": "INT DEFAULT 7",
          "participant_consumers.kind": "varbinary(64)",
        },
        more: {
          participant_meeting: ["note varchar(10) NOT NULL"],
          participant_producers: ["PRIMARY KEY (producer_id)"],
        },
      }),
    );
    await run(
      "ALTER TABLE participant_consumers DROP COLUMN consumers",
      "ALTER TABLE router_meeting RENAME INDEX meeting_id TO idx_router_meeting_router",
      "ALTER TABLE container_status ENGINE=MyISAM",
      "CREATE TABLE audit (meeting_id varchar(64), CONSTRAINT audit_meeting FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id)) DEFAULT CHARSET=utf8mb4",
    );
    const noRows = async () => ({});
    expect(told(await problemsOf(noRows))).to.have.members([
      "container_heartbeat has the column host as varchar(300), which does not fit into varchar(255)",
      "container_heartbeat has the column tenant as character set latin1, of which no way leads to utf8mb4 that is sure to keep the text",
      "container_heartbeat has the column heartbeat as bigint unsigned, which does not fit into bigint",
      "container_status is stored by MyISAM: ALTER TABLE … ENGINE=InnoDB",
      "meeting_status has the column enabled as bigint, which does not fit into tinyint(1)",
      "meeting_status is referenced by audit, audit_meeting (meeting_id) to meeting_status (meeting_id): drop that foreign key",
      "router_meeting has the column producer_capacity as DEFAULT 7, on which programs may rely",
      "router_meeting has a key idx_router_meeting_router that is not on (router_id): rename it",
      "participant_meeting has a column note of its own that is NOT NULL without a default",
      "participant_producers has the primary key (producer_id) instead of (participant_id, producer_id)",
      "participant_consumers lacks the column consumers (int)",
      "participant_consumers has the column kind as varbinary(64), which does not fit into varchar(64)",
    ]);
  });

  it("refuses ids that are no text in one of two tables that belong together", async () => {
    await onDatabase((database) =>
      createHandmadeTables(database, {
        columns: {
          "container_heartbeat.container_id": "varbinary(64) NOT NULL",
          "router_meeting.container_id": "bigint",
        },
      }),
    );
    expect(told(await problemsOf(async () => ({})))).to.have.members([
      "container_heartbeat has the column container_id as varbinary(64), which does not fit into varchar(64)",
      "router_meeting has the column container_id as bigint, which does not fit into varchar(64)",
    ]);
  });

  it("refuses a view in a table's place, and foreign keys of the tables that nobody knows", async () => {
    await make();
    await run(
      "DROP TABLE container_status",
      "CREATE VIEW container_status AS SELECT meeting_id AS container_id, enabled AS status FROM meeting_status",
      "ALTER TABLE participant_producers ADD CONSTRAINT by_hand FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id)",
    );
    const error = (await failureOf(migrate())) as AdoptionError;
    expect(told(error.problems)).to.have.members([
      "container_status is a view, not a table",
      "participant_producers has a foreign key of its own, by_hand (meeting_id) to meeting_status (meeting_id): drop it",
      "meeting_status is referenced by participant_producers, by_hand (meeting_id) to meeting_status (meeting_id): drop that foreign key",
    ]);
  });

  it("leaves ids alone that differ from their parent's by spaces at the end, which go on to belong together", async () => {
    await make({ collation: "utf8mb4_general_ci" });
    await run(
      "INSERT INTO meeting_status (meeting_id, enabled) VALUES ('n', 1)",
      "INSERT INTO participant_meeting (meeting_id, participant_id) VALUES ('n ', 'p')",
    );
    const before = await onDatabase(rowPrints);
    await migrate();
    expect(await onDatabase(rowPrints)).to.deep.equal(before);
    await run("DELETE FROM meeting_status WHERE meeting_id = 'n'");
    const left = await onDatabase((database) =>
      database.query("SELECT participant_id FROM participant_meeting WHERE participant_id = 'p'"),
    );
    expect(left).to.deep.equal([]);
  });

  it("tells the rows that stand in the way, and what helps, which does", async () => {
    await make({ collation: "utf8mb4_general_ci", withoutForeignKeys: ["participant_producer_router"] });
    const [asha, ravi] = ["meeting-é-0-Asha-0", "meeting-é-0-Asha-1"];
    await run(
      `UPDATE router_meeting SET router_id = NULL WHERE router_id = 'meeting-é-1-r0'`,
      `INSERT INTO router_meeting (router_id, meeting_id, capacity) VALUES ('meeting-é-2-r1', 'meeting-é-2', 3)`,
      `INSERT INTO participant_producers (participant_id, producer_id) VALUES ('${asha}', '${asha}-audio'), ('${asha}', '${asha}-AUDIO'), ('${ravi}', NULL)`,
      `UPDATE participant_consumers SET consumer_id = 'same' WHERE participant_id = '${asha}'`,
      `UPDATE participant_meeting SET meeting_id = 'MEETING-E-0' WHERE participant_id = '${ravi}'`,
      `UPDATE participant_consumers SET meeting_id = UPPER(meeting_id)`,
      `INSERT INTO participant_producer_router (participant_id) VALUES ('nobody')`,
    );
    const problems = await problemsOf();
    expect(told(problems)).to.have.members([
      "participant_producer_router has 1 row(s) whose participant_id is not in participant_meeting",
      "router_meeting has 1 row(s) whose router_id is NULL, which is to be in its primary key",
      "router_meeting has 1 value(s) of (router_id) in more than one row, which are to be a key",
      "participant_producers has 1 row(s) whose producer_id is NULL, which is to be in its primary key",
      "participant_producers has 1 value(s) of (participant_id, producer_id) in more than one row, which are to be a key",
      "participant_consumers has 1 value(s) of (consumer_id) in more than one row, which are to be a key",
      "participant_meeting has 1 row(s) whose meeting_id is spelled otherwise than in meeting_status; they belong together today and would not",
      "participant_consumers has 36 row(s) whose meeting_id is spelled otherwise than in meeting_status; they belong together today and would not",
    ]);
    const twice = problems.find(({ problem }) => problem.includes("(participant_id, producer_id)"));
    expect(twice?.rows).to.deep.equal([{ participant_id: asha, producer_id: `${asha}-audio`, times: "2" }]);
    expect(problems.find(({ count }) => count === 36)?.rows).to.have.length(20);
    await run(...problems.flatMap(({ remedies = [] }) => remedies));
    const before = await onDatabase(rowPrints);
    await migrate();
    expect(await onDatabase(rowPrints)).to.deep.equal(before);
    await onDatabase(async (database) => {
      const [row] = (await database.query(
        `SELECT COUNT(*) AS n FROM participant_producers WHERE participant_id = '${asha}' AND producer_id LIKE '%-audio'`,
      )) as { n: unknown }[];
      expect(Number(row?.n)).to.equal(1);
    });
  });
});
