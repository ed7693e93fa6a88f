import { inspect } from "node:util";
import { expect } from "chai";
import { AcquireTimeoutError, DeadlineExceededError, QueryError } from "../../../src/errors.js";
import { closeDataSource, createDataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { poolOf } from "../../../src/mysql/pool.js";
import { poolDatabase } from "../../../src/mysql/repositories/database.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { failureOf, mysqlConfig, through, withDataSource } from "./testDataSource.js";

describe("a repository's single statement", function () {
  this.timeout(60_000);
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

  it("gives its connection back, whether it succeeds or fails, and its error holds neither SQL nor values", () =>
    withDataSource(server.environment, { maxConnections: 1 }, async (dataSource) => {
      const database = poolDatabase(dataSource);
      for (const value of ["one", "two"])
        expect(await database.query("SELECT ? AS v", [value])).to.deep.equal([{ v: value }]);
      const failure = await failureOf(database.query("SELECT ? AS v FROM nowhere WHERE canary", ["canary"]));
      expect(failure).to.be.instanceOf(QueryError).and.include({ errno: 1146 });
      expect(inspect(failure, { depth: 9 })).to.not.contain("canary");
      await database.execute("CREATE TABLE alone (id int PRIMARY KEY)");
      expect(await database.execute("INSERT INTO alone (id) VALUES ?", [[[1], [2]]])).to.include({ affectedRows: 2 });
      expect(poolOf(dataSource).limiter.inUse).to.equal(0);
    }));

  it("waits for a connection no longer than told", () =>
    withDataSource(server.environment, { maxConnections: 1, acquireTimeoutMs: 200 }, async (dataSource) => {
      const held = await poolOf(dataSource).acquire();
      expect(await failureOf(poolDatabase(dataSource).query("SELECT 1"))).to.be.instanceOf(AcquireTimeoutError);
      held.release();
      expect(await poolDatabase(dataSource).query("SELECT 'x' AS v")).to.deep.equal([{ v: "x" }]);
    }));

  it("ends at its deadline when the server does not answer, and its connection is not lent again", () =>
    withDataSource(
      through(server.environment, proxy),
      { maxConnections: 1, queryTimeoutMs: 1_000, acquireTimeoutMs: 5_000 },
      async (dataSource) => {
        const database = poolDatabase(dataSource);
        const ask = async () => (await database.query<{ id: string }>("SELECT CONNECTION_ID() AS id"))[0]?.id;
        const before = await ask();
        proxy.freeze();
        expect(await failureOf(ask())).to.be.instanceOf(DeadlineExceededError);
        proxy.thaw();
        expect(await ask()).to.not.equal(before);
      },
    ));

  it("is refused once the pool is closed", async () => {
    const dataSource = createDataSource(mysqlConfig(server.environment));
    await openDataSource(dataSource, 5_000);
    await closeDataSource(dataSource, 1_000);
    expect(await failureOf(poolDatabase(dataSource).query("SELECT 1")))
      .to.be.instanceOf(QueryError)
      .with.property("message")
      .that.includes("closed");
  });
});
