import { expect } from "chai";
import { createDataSource, type DataSource, openDataSource } from "../../../../src/mysql/dataSource.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { closeDataSource } from "../../../../src/mysql/opening.js";
import { poolDatabase } from "../../../../src/mysql/repositories/database.js";
import { createRepositories } from "../../../../src/mysql/repositories/index.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { recordingLogger } from "../../../support/recordingLogger.js";
import { mysqlConfig } from "../testDataSource.js";
import { rowCounts, seedByPlainSql } from "./support.js";

describe("on a server that refuses triggers (1419)", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let dataSource: DataSource;

  before(async () => {
    const args = ["--log-bin=bin", "--server-id=1", "--log-bin-trust-function-creators=OFF"];
    server = await startMysqlServer({ args });
    dataSource = createDataSource(mysqlConfig(server.environment));
    await openDataSource(dataSource, 5_000);
  });
  after(async () => {
    if (dataSource) await closeDataSource(dataSource, 1_000);
    await server?.stop();
  });

  it("migrates with one warning; what is counted by hand is placed on, and deletes are whole", async () => {
    const logger = recordingLogger();
    await runMigrations(mysqlConfig(server.environment), { logger });
    expect(logger.lines.filter(({ level, message }) => level === "warn" && message.includes("1419"))).to.have.length(1);
    const { fleet, meetings } = createRepositories(poolDatabase(dataSource));
    await fleet.registerContainer({ containerId: "a", host: "h", tenant: "t", workerIds: ["a0", "a1"] });
    await seedByPlainSql(dataSource, { meetingId: "m", containerId: "a", workers: ["a0", "a1"], people: 3 });
    await fleet.recount();
    const { reservationId } = await fleet.allocate({ tenant: "t", producerCapacity: 490, consumerCapacity: 490 });
    await fleet.release(reservationId);
    expect(await meetings.end("m")).to.equal("ended");
    expect(await rowCounts(dataSource)).to.deep.equal({});
  });
});
