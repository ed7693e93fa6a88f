import { expect } from "chai";
import type { DataSource } from "../../../../src/mysql/dataSource.js";
import { lockName } from "../../../../src/mysql/migrator/lock.js";
import { type MigrationOptions, runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import type { LockWaitEvent, MigrationEvent } from "../../../../src/mysql/migrator/progress.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { asAdmin, failureOf, mysqlConfig, withDataSource } from "../testDataSource.js";
import { freshDatabase } from "./freshDatabase.js";

describe("the lock on migrating", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;
  let databases = 0;

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    databases += 1;
    environment = await freshDatabase(server, `lock_${databases}`);
  });

  const database = () => String(environment.MYSQL_DB_NAME);
  const run = (options: MigrationOptions) => runMigrations(mysqlConfig(environment), options);

  /** Runs `use` while another connection holds the lock, and says which one. */
  function whileHeld<T>(
    holder: Environment,
    use: (held: { connectionId: number; release: () => Promise<unknown> }) => Promise<T>,
  ): Promise<T> {
    return withDataSource(holder, {}, async (dataSource: DataSource) => {
      const runner = dataSource.createQueryRunner();
      const [row] = await runner.query("SELECT GET_LOCK(?, 0) AS got, CONNECTION_ID() AS id", [lockName(database())]);
      expect(Number(row.got)).to.equal(1);
      try {
        return await use({ connectionId: Number(row.id), release: () => runner.release() });
      } finally {
        await runner.release();
      }
    });
  }

  it("is waited for as long as told; who holds it is told at once and in the error", () =>
    whileHeld(environment, async ({ connectionId }) => {
      const events: MigrationEvent[] = [];
      const error = await failureOf(run({ lockTimeoutMs: 1_500, onProgress: (event) => events.push(event) }));
      // From where depends on the server's network.
      const holder = `connection ${connectionId} (doordarshan@`;
      expect(error).to.have.property("code", "ErrMigrationLock");
      expect(error.message).to.include(holder).and.to.include(database());
      const [event] = events as LockWaitEvent[];
      expect(event).to.deep.include({ kind: "waiting-for-lock" });
      expect(event?.heldBy).to.include({ connectionId, user: "doordarshan", command: "Sleep" });
      expect(event?.message).to.include(holder);
      expect(events.map(({ kind }) => kind)).to.not.include("statement");
    }));

  it("tells the connection alone where the holder is another user's, which takes PROCESS to see", () =>
    whileHeld({ ...asAdmin(server), MYSQL_DB_NAME: database() }, async ({ connectionId }) => {
      const error = await failureOf(run({ lockTimeoutMs: 100 }));
      expect(error.message).to.include(`: connection ${connectionId}. Wait until`);
    }));

  it("is taken when its holder lets go or is gone", () =>
    whileHeld(environment, async ({ release }) => {
      const applied = run({ onProgress: ({ kind }) => kind === "waiting-for-lock" && void release() });
      expect(await applied).to.not.be.empty;
    }));

  it("is not waited for any longer when the caller's signal fires", () =>
    whileHeld(environment, async () => {
      const abort = new AbortController();
      const error = await failureOf(run({ signal: abort.signal, onProgress: () => abort.abort() }));
      expect(error).to.have.property("code", "ErrAborted");
    }));

  it("is not waited for any longer when the caller interrupts, in the middle of an attempt too", () =>
    whileHeld(environment, async ({ connectionId }) => {
      const interrupt = new AbortController();
      const running = failureOf(run({ interrupt: interrupt.signal }));
      await withDataSource(environment, {}, async (looking) => {
        const sql = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT GET_LOCK(%, 1)%' AND ID <> ?";
        while ((await looking.query(sql, [connectionId])).length === 0);
      });
      interrupt.abort();
      expect(await running).to.have.property("code", "ErrAborted");
    }));

  it("is not waited for by a time that is none", async () => {
    for (const option of ["lockTimeoutMs", "blockedTimeoutMs", "silenceTimeoutMs"] as const)
      for (const ms of [Number.NaN, -1, 2 ** 31])
        expect(await failureOf(run({ [option]: ms }))).to.have.property("code", "ErrInvalidInput");
  });

  it("is another one for each database, however long its name", async () => {
    const names = ["a", "b", "x".repeat(64), `${"x".repeat(63)}y`].map(lockName);
    expect(new Set(names)).to.have.length(names.length);
    for (const name of names) expect(name.length).to.be.at.most(64);
    const other = await freshDatabase(server, "lock_other");
    await whileHeld(environment, async () => {
      expect(await runMigrations(mysqlConfig(other), { lockTimeoutMs: 1 })).to.not.be.empty;
    });
  });
});
