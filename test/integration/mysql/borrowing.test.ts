import { inspect } from "node:util";
import { expect } from "chai";
import { MysqlPingError, QueryError } from "../../../src/errors.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { MeetingStatus } from "../../../src/mysql/entities/index.js";
import { inspectMysql } from "../../../src/mysql/inspection.js";
import { runMigrations } from "../../../src/mysql/migrator/migrator.js";
import { poolOf } from "../../../src/mysql/pool.js";
import { runTransaction } from "../../../src/mysql/transaction.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { failureOf, mysqlConfig, through, withDataSource } from "./testDataSource.js";

describe("borrowed connections", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let proxy: TcpProxy;

  before(async () => {
    server = await startMysqlServer();
    proxy = await startProxy(server);
  });
  after(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  afterEach(() => proxy.thaw());

  const withOne = (use: (dataSource: DataSource) => Promise<void>) =>
    withDataSource(server.environment, { maxConnections: 1 }, use);

  describe("hand nothing to the next borrower", () => {
    const traces: Record<string, [leave: string, look: string, expected: unknown]> = {
      "a setting behind a comment": ["/* mine */ SET time_zone = '+05:00'", "SELECT @@time_zone AS found", "+00:00"],
      "a setting in a comment that is code": [
        "/*!50000 SET time_zone = '+05:00' */",
        "SELECT @@time_zone AS found",
        "+00:00",
      ],
      "a variable assigned in passing": ["SELECT @u := 5", "SELECT @u AS found", null],
      "a variable selected into": ["SELECT 5 INTO @u", "SELECT @u AS found", null],
    };
    for (const [what, [leave, look, expected]] of Object.entries(traces)) {
      it(what, () =>
        withOne(async (dataSource) => {
          await dataSource.query(leave);
          expect(await dataSource.query(look)).to.deep.equal([{ found: expected }]);
        }),
      );
    }

    it("what was set for the next transaction", () =>
      withOne(async (dataSource) => {
        await dataSource.query("CREATE TABLE written (n int)");
        await dataSource.query("SET TRANSACTION READ ONLY");
        await runTransaction(dataSource, (tx) => tx.manager.query("INSERT INTO written VALUES (1)"));
      }));
  });

  it("do not keep a question about health waiting when all are in use", () =>
    withOne(async (dataSource) => {
      const holder = dataSource.createQueryRunner();
      await holder.connect();
      await Promise.all([1, 2, 3].map(() => inspectMysql(dataSource, 2_000)));
      expect(poolOf(dataSource).limiter).to.include({ inUse: 1, waiting: 0 });
      await holder.release();
    }));

  it("are called missing, and not in use, when the server gives none", () =>
    withDataSource(through(server.environment, proxy), { acquireTimeoutMs: 200 }, async (dataSource) => {
      const holder = dataSource.createQueryRunner();
      await holder.connect();
      proxy.freeze();
      const error = await failureOf(inspectMysql(dataSource, 1_000));
      expect(error).to.be.instanceOf(MysqlPingError);
      expect(error.message).to.match(/gave no connection within 200 ms.*reachable/);
      proxy.thaw();
      await holder.release();
    }));

  it("are reported when they fail while idle, and not when a statement is told so", async () => {
    const logger = recordingLogger();
    const dataSource = createDataSource(mysqlConfig(through(server.environment, proxy)), { logger });
    await openDataSource(dataSource, 5_000);
    const warnings = () => logger.lines.filter(({ level }) => level === "warn");
    const cut = proxy.cutAfterRequest((request) => request.includes("SELECT 1"));
    await failureOf(dataSource.query("SELECT 1"));
    await cut;
    await dataSource.query("SELECT 2");
    expect(warnings()).to.deep.equal([]);
    proxy.cutAll();
    while (warnings().length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(warnings()[0]).to.have.nested.property("fields.event", "mysql.idle");
    await closeDataSource(dataSource, 1_000);
  });

  it("throw no criteria when a row is not found", async () => {
    await runMigrations(mysqlConfig(server.environment));
    await withOne(async (dataSource) => {
      const criteria = { meetingId: "canary" };
      const builder = (from: DataSource["manager"]) =>
        from.createQueryBuilder(MeetingStatus, "m").where("m.meetingId = :meetingId", criteria).clone();
      const searches = (manager: DataSource["manager"]) => [
        () => manager.getRepository(MeetingStatus).findOneByOrFail(criteria),
        () => manager.findOneOrFail(MeetingStatus, { where: criteria }),
        () => builder(manager).getOneOrFail(),
      ];
      const expectDiscreet = async (search: () => Promise<unknown>) => {
        const error = await failureOf(search());
        expect(error).to.be.instanceOf(QueryError).and.include({ driverCode: "ERR_ENTITY_NOT_FOUND" });
        expect(error.message).to.equal("Could not find any MeetingStatus that matches");
        expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).to.not.contain("canary");
      };
      for (const search of searches(dataSource.manager)) await expectDiscreet(search);
      await runTransaction(dataSource, async (tx) => {
        for (const search of searches(tx.manager)) await expectDiscreet(search);
      });
      await dataSource.getRepository(MeetingStatus).insert({ meetingId: "canary", enabled: 1 });
      for (const search of searches(dataSource.manager)) expect(await search()).to.include(criteria);
    });
  });
});
