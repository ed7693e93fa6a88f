import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { QueryRunner } from "typeorm";
import {
  DeadlineExceededError,
  InvalidInputError,
  OperationAbortedError,
  TransactionRetriesError,
} from "../../../src/errors.js";
import type { DataSource } from "../../../src/mysql/dataSource.js";
import { poolOf } from "../../../src/mysql/pool.js";
import { runTransaction, type Transaction } from "../../../src/mysql/transaction.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { failureOf, rowIsWaitedFor, withDataSource } from "./testDataSource.js";

const insert = (tx: Transaction, id: string) => tx.manager.query("INSERT INTO things (id) VALUES (?)", [id]);
const bump = (tx: Transaction, id: string) => tx.manager.query("UPDATE things SET n = n + 1 WHERE id = ?", [id]);

describe("a transaction's all or nothing", function () {
  this.timeout(120_000);
  let server: MysqlServer;

  before(async () => {
    server = await startMysqlServer();
    await onServer((dataSource) =>
      dataSource.query("CREATE TABLE things (id varchar(64) PRIMARY KEY, n int NOT NULL DEFAULT 0) ENGINE=InnoDB"),
    );
  });
  after(() => server?.stop());
  beforeEach(() => onServer((dataSource) => dataSource.query("DELETE FROM things")));

  const onServer = <T>(use: (dataSource: DataSource) => Promise<T>, changes = {}) =>
    withDataSource(server.environment, { maxConnections: 10, ...changes }, use);
  const contents = async (dataSource: DataSource): Promise<Record<string, number>> => {
    const rows: { id: string; n: number }[] = await dataSource.query("SELECT id, n FROM things WHERE id < 'heavy'");
    return Object.fromEntries(rows.map(({ id, n }) => [id, n]));
  };

  describe("when a deadlock hits", () => {
    /** Holds `b`, and once `a`'s holder waits for `b` wants `a`: having written more, it wins. */
    const withWinner = (use: (dataSource: DataSource, closeTheCircle: () => Promise<unknown>) => Promise<void>) =>
      onServer(async (dataSource) => {
        await dataSource.query("INSERT INTO things (id) VALUES ('a'), ('b'), ('c')");
        const winner = dataSource.createQueryRunner();
        await winner.startTransaction();
        for (let i = 0; i < 50; i += 1) await winner.query("INSERT INTO things (id) VALUES (?)", [`heavy-${i}`]);
        await winner.query("UPDATE things SET n = n + 1 WHERE id = 'b'");
        await use(dataSource, async () => {
          await rowIsWaitedFor(server);
          await winner.query("UPDATE things SET n = n + 1 WHERE id = 'a'");
          await winner.rollbackTransaction();
        });
        await winner.release();
      });

    it("sends no statement that waited behind it", () =>
      withWinner(async (dataSource, closeTheCircle) => {
        let circle: Promise<unknown> | undefined;
        await runTransaction(dataSource, async (tx) => {
          await bump(tx, "a");
          circle ??= closeTheCircle();
          await Promise.all([bump(tx, "b"), bump(tx, "c")]);
        });
        await circle;
        expect(await contents(dataSource)).to.deep.equal({ a: 1, b: 1, c: 1 });
      }));

    it("does not call done what a forgotten statement's deadlock undid", () =>
      withWinner(async (dataSource, closeTheCircle) => {
        let circle: Promise<unknown> | undefined;
        let runs = 0;
        await runTransaction(dataSource, async (tx) => {
          runs += 1;
          await bump(tx, "a");
          bump(tx, "b").catch(() => undefined);
          await sleep(20);
          circle ??= closeTheCircle();
        });
        await circle;
        expect(runs).to.equal(2);
        expect(await contents(dataSource)).to.deep.equal({ a: 1, b: 1, c: 0 });
      }));
  });

  it("runs again after a snapshot conflict, even a swallowed one", function () {
    // MySQL has no innodb_snapshot_isolation, so it cannot meet this conflict.
    if (!server.version.includes("MariaDB")) this.skip();
    return onServer(async (dataSource) => {
      await dataSource.query("INSERT INTO things (id) VALUES ('a')");
      let runs = 0;
      await runTransaction(dataSource, async (tx) => {
        runs += 1;
        await tx.manager.query("SET innodb_snapshot_isolation = 1");
        await insert(tx, "before");
        await tx.manager.query("SELECT * FROM things");
        if (runs === 1) await dataSource.query("UPDATE things SET n = 10 WHERE id = 'a'");
        await bump(tx, "a").catch(() => undefined);
        await insert(tx, "after").catch(() => undefined);
      });
      expect(runs).to.equal(2);
      expect(await contents(dataSource)).to.deep.equal({ a: 11, after: 0, before: 0 });
    });
  });

  it("asks after an error whether there still is a transaction, and goes on only in one", () =>
    onServer(async (dataSource) => {
      await dataSource.query("CREATE PROCEDURE undo_all() BEGIN ROLLBACK; SELECT missing FROM things; END");
      const undone = runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        await failureOf(tx.manager.query("CALL undo_all()"));
        await insert(tx, "b").catch(() => undefined);
      });
      expect(await failureOf(undone)).to.include({ errno: 1054 });
      expect(await contents(dataSource)).to.deep.equal({});
      await runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        await failureOf(insert(tx, "a"));
        await insert(tx, "b");
      });
      expect(await contents(dataSource)).to.deep.equal({ a: 0, b: 0 });
    }));

  it("reports a transaction that a procedure ended", () =>
    onServer(async (dataSource) => {
      await dataSource.query("CREATE PROCEDURE finish() BEGIN SELECT 1; COMMIT; END");
      const ended = runTransaction(dataSource, async (tx) => {
        await tx.manager.query("CALL finish()");
        await insert(tx, "a").catch(() => undefined);
      });
      expect(await failureOf(ended)).to.include({ driverCode: "ERR_TRANSACTION_GONE" });
      expect(await contents(dataSource)).to.deep.equal({});
    }));

  it("refuses statements that end or commit it, and keeps savepoints", () =>
    onServer(async (dataSource) => {
      const refused = [
        "COMMIT",
        "rollback",
        "/* mine */ BEGIN",
        "-- mine\nSTART TRANSACTION",
        "/*!50000 COMMIT */",
        "SET @@autocommit = 1",
        "CREATE TABLE other (id int)",
        "ALTER TABLE things ADD m int",
        "TRUNCATE TABLE things",
        "DROP TABLE things",
      ];
      const own = new RangeError("mine");
      const failing = runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        for (const sql of refused) expect(await failureOf(tx.manager.query(sql))).to.be.instanceOf(InvalidInputError);
        throw own;
      });
      expect(await failureOf(failing)).to.equal(own);
      await runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        await tx.manager.transaction((nested) => nested.query("INSERT INTO things (id) VALUES ('b')"));
        const undone = tx.manager.transaction(async (nested) => {
          await nested.query("INSERT INTO things (id) VALUES ('c')");
          throw own;
        });
        expect(await failureOf(undone)).to.equal(own);
        await tx.manager.query("CREATE TEMPORARY TABLE scratch (id int)");
        await tx.manager.query("DROP TEMPORARY TABLE scratch");
      });
      expect(await contents(dataSource)).to.deep.equal({ a: 0, b: 0 });
    }));

  it("sends no COMMIT once the deadline has passed, though the process was too busy to notice", () =>
    onServer(async (dataSource) => {
      const busy = runTransaction(
        dataSource,
        async (tx) => {
          await insert(tx, "a");
          const end = performance.now() + 300;
          while (performance.now() < end);
        },
        { timeoutMs: 200 },
      );
      expect(await failureOf(busy)).to.be.instanceOf(DeadlineExceededError);
      expect(await contents(dataSource)).to.deep.equal({});
    }));

  it("tries a lock wait again also with a statement limit of one second", () =>
    onServer(
      async (dataSource) => {
        await dataSource.query("INSERT INTO things (id) VALUES ('a')");
        const holder = dataSource.createQueryRunner();
        await holder.startTransaction();
        await holder.query("UPDATE things SET n = 1 WHERE id = 'a'");
        const waiting = runTransaction(dataSource, (tx) => bump(tx, "a"), { timeoutMs: 20_000 });
        expect(await failureOf(waiting)).to.be.instanceOf(TransactionRetriesError);
        await holder.rollbackTransaction();
        await holder.release();
      },
      { queryTimeoutMs: 1_000 },
    ));

  it("loses no connection, at whatever moment the caller's signal fires", () =>
    onServer(
      async (dataSource) => {
        const { limiter } = poolOf(dataSource);
        const nothing = () => undefined;
        for (let ticks = 0; ticks < 3; ticks += 1) {
          for (let microtasks = 0; microtasks < 50; microtasks += 1) {
            const controller = new AbortController();
            const running = runTransaction(dataSource, async () => 1, { signal: controller.signal }).catch(nothing);
            for (let i = 0; i < ticks; i += 1) await new Promise<void>((resolve) => process.nextTick(resolve));
            for (let i = 0; i < microtasks; i += 1) await null;
            controller.abort();
            await running;
          }
        }
        // A connection nobody waits for any more may still be on its way; it goes back when it arrives.
        const giveUp = performance.now() + 5_000;
        while (limiter.inUse > 0 && performance.now() < giveUp) await dataSource.query("SELECT 1");
        expect(limiter.inUse).to.equal(0);
      },
      { maxConnections: 2, acquireTimeoutMs: 1_000 },
    ));

  it("says why the caller's signal fired", () =>
    onServer(async (dataSource) => {
      const signal = AbortSignal.abort(new Error("the request\nwas cancelled"));
      const error = await failureOf(runTransaction(dataSource, async () => 1, { signal }));
      expect(error).to.be.instanceOf(OperationAbortedError);
      expect(error.message).to.equal("The caller's signal fired: the request was cancelled");
    }));

  it("refuses an isolation level that is none, without repeating it", () =>
    onServer(async (dataSource) => {
      const error = await failureOf(runTransaction(dataSource, async () => 1, { isolation: "canary" as never }));
      expect(error).to.be.instanceOf(InvalidInputError).and.have.property("argument", "isolation");
      expect(error.message).to.not.contain("canary");
    }));

  it("streams in turn with the other statements", () =>
    onServer(async (dataSource) => {
      await runTransaction(dataSource, async (tx) => {
        const { queryRunner: runner } = tx.manager;
        const inserted = tx.manager.query("INSERT INTO things SELECT 'a', SLEEP(0.1)");
        await sleep(10);
        const rows = await (runner as QueryRunner).stream("SELECT id FROM things");
        const [seen] = await Promise.all([rows.toArray(), inserted, insert(tx, "b")]);
        expect(seen).to.deep.equal([{ id: "a" }]);
      });
      expect(await contents(dataSource)).to.deep.equal({ a: 0, b: 0 });
    }));
});
