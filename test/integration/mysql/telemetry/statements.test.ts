import { expect } from "chai";
import { CommitUnknownError, DeadlineExceededError } from "../../../../src/errors.js";
import { MeetingStatus } from "../../../../src/mysql/entities/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { poolDatabase } from "../../../../src/mysql/repositories/database.js";
import { observedRepositories } from "../../../../src/mysql/repositories/observed.js";
import { Operations } from "../../../../src/mysql/telemetry/operations.js";
import { runTransaction } from "../../../../src/mysql/transaction.js";
import { withLogFields } from "../../../../src/telemetry/logFields.js";
import { METRICS } from "../../../../src/telemetry/metrics.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../../support/proxy.js";
import { failureOf, mysqlConfig, through } from "../testDataSource.js";
import { linesOf, withObserved } from "./observed.js";

const { operationDuration, connectionErrors, transactions, transactionRetries } = METRICS;

describe("what is measured of statements", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let proxy: TcpProxy;

  before(async () => {
    server = await startMysqlServer();
    proxy = await startProxy(server);
    await runMigrations(mysqlConfig(server.environment));
  });
  after(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  afterEach(() => proxy.thaw());

  const named = (verb: string, summary: string) => ({
    "db.system.name": "mysql",
    "db.operation.name": verb,
    "db.query.summary": summary,
  });

  it("counts and traces TypeORM's own traffic, by verb and table", () =>
    withObserved(server.environment, {}, async ({ dataSource, telemetry }) => {
      telemetry.spans.length = 0;
      const repository = dataSource.getRepository(MeetingStatus);
      await repository.insert({ meetingId: "m-typeorm", enabled: 1 });
      await repository.find();
      await dataSource
        .createQueryBuilder(MeetingStatus, "m")
        .stream()
        .then((rows) => rows.resume().toArray());
      await repository.delete({ meetingId: "m-typeorm" });
      const count = (verb: string) => telemetry.total(operationDuration, named(verb, `${verb} meeting_status`));
      expect(["INSERT", "SELECT", "DELETE"].map(count)).to.deep.equal([1, 2, 1]);
      const failure = await failureOf(dataSource.query("SELECT 'canary' FROM no_such_table"));
      expect(telemetry.spans.map(({ name, kind, error }) => [name, kind, error])).to.deep.equal([
        ["INSERT meeting_status", "client", undefined],
        ["SELECT meeting_status", "client", undefined],
        ["SELECT meeting_status", "client", undefined],
        ["DELETE meeting_status", "client", undefined],
        ["SELECT other", "client", failure],
      ]);
      expect(telemetry.spans[0]?.attributes).to.include({
        ...named("INSERT", "INSERT meeting_status"),
        "server.port": server.port,
      });
    }));

  it("counts and traces what repositories send as the operation it is of, transactions included", () =>
    withObserved(server.environment, {}, async ({ dataSource, telemetry, instruments }) => {
      telemetry.spans.length = 0;
      const operations = new Operations(instruments, mysqlConfig(server.environment).mysql);
      const { fleet, meetings } = observedRepositories(operations)(poolDatabase(dataSource));
      await fleet.registerContainer({ containerId: "c", host: "h", tenant: "t", workerIds: ["w1"] });
      await meetings.exists("m-none");
      const missing = await failureOf(meetings.describe("m-none"));
      const total = (verb: string, summary: string) => telemetry.total(operationDuration, named(verb, summary));
      expect(total("SELECT", "meetings.exists")).to.equal(1);
      expect(total("START", "fleet.registerContainer")).to.equal(1);
      expect(total("COMMIT", "fleet.registerContainer")).to.equal(1);
      expect(total("INSERT", "fleet.registerContainer")).to.be.at.least(1);
      expect(telemetry.spans.map(({ name, error }) => [name, error])).to.deep.equal([
        ["fleet.registerContainer", undefined],
        ["meetings.exists", undefined],
        ["meetings.describe", missing],
      ]);
    }));

  it("names what failed: a missing table, a statement that took too long, a connection that was cut", () =>
    withObserved(through(server.environment, proxy), { maxConnections: 1, queryTimeoutMs: 300 }, async (recording) => {
      const { dataSource, telemetry } = recording;
      const errors = (type: string) => telemetry.total(operationDuration, { "error.type": type });
      await failureOf(dataSource.query("SELECT 1 FROM canary"));
      expect(errors("ER_NO_SUCH_TABLE")).to.equal(1);
      proxy.freeze();
      expect(await failureOf(dataSource.query("SELECT 1"))).to.be.instanceOf(DeadlineExceededError);
      proxy.thaw();
      expect(errors("ErrDeadlineExceeded")).to.equal(1);
      expect(telemetry.total(connectionErrors)).to.equal(0);
      const cut = proxy.cutAfterRequest((request) => request.includes("SELECT 'cut'"));
      await failureOf(dataSource.query("SELECT 'cut'"));
      await cut;
      const [kind, ...others] = telemetry.records
        .filter(({ metric }) => metric === connectionErrors)
        .map(({ attributes }) => attributes["error.type"] ?? "");
      expect(others).to.deep.equal([]);
      expect(kind).to.be.oneOf(["PROTOCOL_CONNECTION_LOST", "ECONNRESET"]);
      expect(errors(kind ?? "")).to.equal(1);
      expect(linesOf(recording, "mysql.lost")).to.have.length(1);
    }));

  it("counts transactions by how they end, and why they ran again", () =>
    withObserved(through(server.environment, proxy), {}, async ({ dataSource, telemetry }) => {
      await dataSource.query("CREATE TABLE locked (id varchar(8) PRIMARY KEY, n int)");
      await dataSource.query("INSERT INTO locked VALUES ('a', 0), ('b', 0)");
      const outcomes = () =>
        ["committed", "rolled_back", "unknown"].map((outcome) => telemetry.total(transactions, { outcome }));
      const both = crossing();
      const add = (first: string, second: string) =>
        runTransaction(dataSource, async ({ manager }) => {
          await manager.query("UPDATE locked SET n = n + 1 WHERE id = ?", [first]);
          await both();
          await manager.query("UPDATE locked SET n = n + 1 WHERE id = ?", [second]);
        });
      await Promise.all([add("a", "b"), add("b", "a")]);
      expect(outcomes()).to.deep.equal([2, 0, 0]);
      const retries = telemetry.total(transactionRetries, { reason: "deadlock" });
      expect(retries).to.be.at.least(1);
      expect(telemetry.total(operationDuration, { "error.type": "ER_LOCK_DEADLOCK" })).to.equal(retries);

      await failureOf(runTransaction(dataSource, () => Promise.reject(new Error("no"))));
      expect(outcomes()).to.deep.equal([2, 1, 0]);

      const cut = proxy.cutAfterRequest((request) => request.includes("COMMIT"));
      expect(await failureOf(runTransaction(dataSource, ({ manager }) => manager.query("SELECT 1")))).to.be.instanceOf(
        CommitUnknownError,
      );
      await cut;
      expect(outcomes()).to.deep.equal([2, 1, 1]);
    }));

  it("tells of a slow statement what it was, for how long, and for whom; never its text", async () => {
    const changes = { maxConnections: 2, slowOperationMs: 50 };
    const slow = await withObserved(server.environment, changes, async ({ dataSource }) => {
      await dataSource.query("INSERT INTO container_heartbeat (container_id) VALUES ('c-slow')");
      const holder = dataSource.createQueryRunner();
      await holder.connect();
      // Its connection is opened within this request, and must not remember that.
      await withLogFields({ requestId: "r-1\n" }, () => dataSource.query("SELECT SLEEP(0.1), 'canary'"));
      await withLogFields({ requestId: "r-2" }, () => dataSource.query("SELECT 'canary'"));
      await dataSource.query("UPDATE container_heartbeat SET host = 'canary' WHERE SLEEP(0.1) = 1");
      await holder.release();
    });
    const [select, update] = linesOf(slow, "mysql.slow");
    expect(select?.fields).to.include({ event: "mysql.slow", operation: "SELECT", requestId: "r-1\\n" });
    expect(select?.fields).to.have.property("ms").that.is.at.least(95);
    expect(update?.fields).to.not.have.property("requestId");
    expect(update?.message).to.match(/^UPDATE container_heartbeat took \d+ ms$/);
    expect(JSON.stringify(slow.logger.lines)).to.not.contain("canary");
  });
});

/** A function whose first two callers go on once both are there; later ones do not wait. */
function crossing(): () => Promise<void> {
  let come = 0;
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    come += 1;
    if (come >= 2) open();
    return gate;
  };
}
