import { expect } from "chai";
import { AcquireTimeoutError, MysqlPingError } from "../../../../src/errors.js";
import { closeDataSource, createDataSource, openDataSource } from "../../../../src/mysql/dataSource.js";
import { poolOf } from "../../../../src/mysql/pool.js";
import { type Gauge, METRICS } from "../../../../src/telemetry/metrics.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { failureOf, mysqlConfig } from "../testDataSource.js";
import { linesOf, type Recording, record, withObserved } from "./observed.js";

describe("what is measured of the pool", function () {
  this.timeout(120_000);
  let server: MysqlServer;

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());

  const shown = async ({ telemetry }: Recording, metric: Gauge) => {
    const readers = [...(telemetry.gauges.get(metric) ?? [])];
    return (await Promise.all(readers.map((read) => read()))).flat();
  };

  it("shows what is used, idle, allowed and waited for, and how long it took", async () => {
    const pool = { "db.client.connection.pool.name": "mysql" };
    const changes = { maxConnections: 2, acquireQueueLimit: 1, maxIdleConnections: 2 };
    const recording = await withObserved(server.environment, changes, async ({ dataSource, ...recording }) => {
      const { telemetry } = recording;
      expect(await shown(recording, METRICS.connectionsMax)).to.deep.equal([{ value: 2, attributes: pool }]);
      const connections = async () => (await shown(recording, METRICS.connections)).map(({ value }) => value);
      expect(await connections()).to.deep.equal([0, 1]);
      const holders = [dataSource.createQueryRunner(), dataSource.createQueryRunner()];
      for (const holder of holders) await holder.connect();
      expect(await connections()).to.deep.equal([2, 0]);
      expect(telemetry.total(METRICS.connectionCreate)).to.equal(2);

      const before = telemetry.total(METRICS.connectionWait);
      const waiting = dataSource.query("SELECT 'one' AS n");
      expect(await shown(recording, METRICS.connectionsWaiting)).to.deep.equal([{ value: 1, attributes: pool }]);
      expect(await failureOf(dataSource.query("SELECT 1"))).to.be.instanceOf(AcquireTimeoutError);
      expect(telemetry.total(METRICS.connectionTimeouts, pool)).to.equal(1);
      const used = telemetry.total(METRICS.connectionUse);
      for (const holder of holders) await holder.release();
      expect(await waiting).to.deep.equal([{ n: "one" }]);
      expect(telemetry.total(METRICS.connectionWait)).to.equal(before + 1);
      expect(telemetry.total(METRICS.connectionUse)).to.equal(used + 3);
    });
    const use = { used: 2, idle: 0, limit: 2, waiting: 1 };
    expect(linesOf(recording, "mysql.pool.saturated").map(({ fields }) => fields)).to.deep.equal([
      { event: "mysql.pool.saturated", ...use },
    ]);
    expect(linesOf(recording, "mysql.pool.relieved")).to.have.length(1);
    expect(linesOf(recording, "mysql.pool.refused").map(({ level, fields }) => ({ level, ...fields }))).to.deep.equal([
      { level: "warn", event: "mysql.pool.refused", ...use },
    ]);
    const [closed] = linesOf(recording, "mysql.pool");
    expect(closed?.fields).to.include({ refused: 1, opened: 2, failed: 0, lost: 0 });
    expect([...recording.telemetry.gauges.values()].map(({ size }) => size)).to.deep.equal([0, 0, 0]);
  });

  it("counts and tells once that no connection can be made, by why, without the password", async () => {
    const recording = record();
    const wrong = { ...server.environment, MYSQL_PASSWORD: "canary-password" };
    const dataSource = createDataSource(mysqlConfig(wrong), recording);
    expect(await failureOf(openDataSource(dataSource, 5_000))).to.be.instanceOf(MysqlPingError);
    const errors = { "db.system.name": "mysql", "error.type": "ER_ACCESS_DENIED_ERROR" };
    expect(recording.telemetry.total(METRICS.connectionErrors, errors)).to.equal(1);
    expect(linesOf(recording, "mysql.error").map(({ level, fields }) => [level, fields])).to.deep.equal([
      ["warn", { event: "mysql.error", server: `${server.host}:${server.port}`, code: "ER_ACCESS_DENIED_ERROR" }],
    ]);
    expect(linesOf(recording, "mysql.connecting")).to.have.length(1);
    expect(JSON.stringify(recording.logger.lines) + (await recording.telemetry.text())).to.not.contain("canary");
  });

  it("tells of an outage and of its end, once each", async () => {
    const changes = { acquireTimeoutMs: 2_000 };
    const recording = await withObserved(server.environment, changes, async ({ dataSource, ...recording }) => {
      const { telemetry, logger } = recording;
      const levels = (event: string) => linesOf(recording, event).map(({ level }) => level);
      expect(levels("mysql.connected")).to.deep.equal(["info"]);
      await Promise.all([1, 2, 3].map(() => dataSource.query("SELECT 1")));
      expect(levels("mysql.connected").slice(1)).to.deep.equal(["debug", "debug"]);
      logger.lines.length = 0;
      const told = telemetry.until(() => telemetry.total(METRICS.connectionErrors) >= 3);
      await server.kill();
      try {
        await told;
        const lost = telemetry.total(METRICS.connectionErrors);
        for (let i = 0; i < 3; i += 1) await failureOf(dataSource.query("SELECT 1"));
        expect(telemetry.total(METRICS.connectionErrors) - lost).to.equal(3);
        const types = telemetry.records.filter(({ metric }) => metric === METRICS.connectionErrors).slice(lost);
        const kinds = new Set(types.map(({ attributes }) => attributes["error.type"]));
        // Refused by the system, or accepted by a proxy that hangs up.
        for (const kind of kinds) expect(kind).to.be.oneOf(["ECONNREFUSED", "ECONNRESET", "PROTOCOL_CONNECTION_LOST"]);
        expect(levels("mysql.idle")).to.deep.equal(["warn"]);
        expect(levels("mysql.error")).to.deep.equal([...kinds].map(() => "warn"));
      } finally {
        await server.restart();
      }
      await dataSource.query("SELECT 1");
      expect(levels("mysql.connected")).to.deep.equal(["info"]);
      expect(poolOf(dataSource).limiter.inUse).to.equal(0);
    });
    expect(linesOf(recording, "mysql.pool")[0]?.fields).to.include({ lost: 3, failed: 3 });
  });

  it("leaves no gauge behind when a DataSource was closed twice, or never opened", async () => {
    const recording = record();
    const dataSource = createDataSource(mysqlConfig(server.environment), recording);
    expect(recording.telemetry.gauges.size).to.equal(0);
    await openDataSource(dataSource, 5_000);
    await closeDataSource(dataSource, 1_000);
    await closeDataSource(dataSource, 1_000);
    expect(linesOf(recording, "mysql.pool")).to.have.length(1);
    expect([...recording.telemetry.gauges.values()].map(({ size }) => size)).to.deep.equal([0, 0, 0]);
  });
});
