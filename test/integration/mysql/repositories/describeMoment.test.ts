import { expect } from "chai";
import { createDataSource, type DataSource, openDataSource } from "../../../../src/mysql/dataSource.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { closeDataSource } from "../../../../src/mysql/opening.js";
import { type Database, poolDatabase } from "../../../../src/mysql/repositories/database.js";
import { createRepositories } from "../../../../src/mysql/repositories/index.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig } from "../testDataSource.js";
import { seedByPlainSql } from "./support.js";

describe("meetings.describe on a server that defaults to READ COMMITTED", function () {
  this.timeout(60_000);
  let server: MysqlServer;
  let dataSource: DataSource;

  before(async () => {
    server = await startMysqlServer({ args: ["--transaction-isolation=READ-COMMITTED"] });
    await runMigrations(mysqlConfig(server.environment));
    dataSource = createDataSource(mysqlConfig(server.environment));
    await openDataSource(dataSource, 5_000);
  });
  after(async () => {
    if (dataSource) await closeDataSource(dataSource, 1_000);
    await server?.stop();
  });

  /** Does `meanwhile` before the statement that reads `table`. */
  const interrupted = (database: Database, table: string, meanwhile: () => Promise<unknown>): Database => ({
    ...database,
    query: async (sql, params) => {
      if (sql.includes(`FROM ${table}`)) await meanwhile();
      return database.query(sql, params);
    },
    transaction: (work, options) => database.transaction((tx) => work(interrupted(tx, table, meanwhile)), options),
  });

  it("tells of one moment, whatever others commit between its statements", async () => {
    const database = poolDatabase(dataSource);
    const { fleet } = createRepositories(database);
    await fleet.registerContainer({ containerId: "a", host: "h", tenant: "t", workerIds: ["a0", "a1"] });
    await seedByPlainSql(dataSource, { meetingId: "m", containerId: "a", workers: ["a0", "a1"], people: 3 });
    const before = await createRepositories(database).meetings.describe("m");
    const leave = () => dataSource.query("DELETE FROM participant_meeting WHERE participant_id = 'm-p0'");
    const { meetings } = createRepositories(interrupted(database, "participant_consumers", leave));
    expect(before.consumers).to.have.length(6);
    expect(await meetings.describe("m")).to.deep.equal(before);
    expect((await meetings.describe("m")).consumers).to.have.length(2);
  });
});
