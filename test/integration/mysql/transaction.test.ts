import { expect } from "chai";
import {
  AcquireTimeoutError,
  CommitUnknownError,
  DeadlineExceededError,
  InvalidInputError,
  OperationAbortedError,
  QueryError,
  TransactionRetriesError,
} from "../../../src/errors.js";
import type { DataSource } from "../../../src/mysql/dataSource.js";
import { poolOf } from "../../../src/mysql/pool.js";
import { runTransaction, type Transaction } from "../../../src/mysql/transaction.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { asAdmin, expectWithin, failureOf, through, timedFailureOf, withDataSource } from "./testDataSource.js";

const DEADLINE_MS = 300;
const GRACE_MS = 400;
const never = () => new Promise<never>(() => undefined);
const insert = (tx: Transaction, id: string) => tx.manager.query("INSERT INTO things (id) VALUES (?)", [id]);

describe("runTransaction", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let proxy: TcpProxy;

  before(async () => {
    server = await startMysqlServer();
    proxy = await startProxy(server);
    await onServer((dataSource) =>
      dataSource.query("CREATE TABLE things (id varchar(64) PRIMARY KEY, n int NOT NULL DEFAULT 0) ENGINE=InnoDB"),
    );
  });
  after(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(() => onServer((dataSource) => dataSource.query("DELETE FROM things")));
  afterEach(() => proxy.thaw());

  const onServer = <T>(use: (dataSource: DataSource) => Promise<T>) =>
    withDataSource(server.environment, { maxConnections: 10 }, use);
  const behindProxy = <T>(use: (dataSource: DataSource) => Promise<T>, maxConnections = 2) =>
    withDataSource(through(server.environment, proxy), { maxConnections, maxIdleConnections: maxConnections }, use);
  const ids = async (dataSource: DataSource): Promise<string[]> => {
    const rows: { id: string }[] = await dataSource.query("SELECT id FROM things ORDER BY id");
    return rows.map(({ id }) => id);
  };
  /** Borrows every connection at once and asks on each, so no place was lost and no connection is busy. */
  const expectPoolWhole = async (dataSource: DataSource) => {
    const { limiter } = poolOf(dataSource);
    const runners = Array.from({ length: limiter.options.limit }, () => dataSource.createQueryRunner());
    await Promise.all(runners.map((runner) => runner.query("SELECT 1")));
    for (const runner of runners) await runner.release();
    expect({ inUse: limiter.inUse, waiting: limiter.waiting }).to.deep.equal({ inUse: 0, waiting: 0 });
  };

  it("commits what work did and returns its result", () =>
    onServer(async (dataSource) => {
      const result = await runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        return 42;
      });
      expect(result).to.equal(42);
      expect(await ids(dataSource)).to.deep.equal(["a"]);
      await expectPoolWhole(dataSource);
    }));

  it("rolls back and rethrows what work throws, as it is", () =>
    onServer(async (dataSource) => {
      const own = new RangeError("mine");
      const failing = runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        throw own;
      });
      expect(await failureOf(failing)).to.equal(own);
      expect(await ids(dataSource)).to.deep.equal([]);
      await expectPoolWhole(dataSource);
    }));

  it("uses the isolation level asked for, and leaves none behind", () =>
    withDataSource(server.environment, { maxConnections: 1 }, async (dataSource) => {
      // What a reader sees of rows committed while it runs tells the level.
      const secondReadSees = (isolation?: "READ COMMITTED") =>
        runTransaction(
          dataSource,
          async (tx) => {
            await tx.manager.query("SELECT * FROM things");
            await onServer((other) => other.query("INSERT INTO things (id) VALUES (UUID())"));
            return ((await tx.manager.query("SELECT * FROM things")) as unknown[]).length;
          },
          isolation && { isolation },
        );
      expect(await secondReadSees("READ COMMITTED")).to.equal(1);
      expect(await secondReadSees()).to.equal(1);
    }));

  it("refuses a deadline that is no time", () =>
    onServer(async (dataSource) => {
      for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
        const error = await failureOf(runTransaction(dataSource, async () => 1, { timeoutMs }));
        expect(error).to.be.instanceOf(InvalidInputError);
      }
    }));

  describe("at its deadline", () => {
    /** Freezes the server's side when `work` says so. */
    const phases: Record<string, (tx: Transaction) => Promise<unknown>> = {
      "work that never settles": never,
      "a statement that the frozen server never answers": async (tx) => {
        proxy.freeze();
        await insert(tx, "statement");
      },
      "a rollback that the frozen server never answers": async (tx) => {
        await insert(tx, "rollback");
        proxy.freeze();
        throw new RangeError("mine");
      },
    };
    for (const [phase, work] of Object.entries(phases)) {
      it(`answers in time during ${phase}`, () =>
        behindProxy(async (dataSource) => {
          const running = runTransaction(dataSource, work, { timeoutMs: DEADLINE_MS });
          const { error, took } = await timedFailureOf(running);
          expectWithin(took, DEADLINE_MS * 0.8, DEADLINE_MS + GRACE_MS);
          // The reason of the rollback says more than the deadline that passed during it.
          expect(error).to.be.instanceOf(phase.includes("rollback") ? RangeError : DeadlineExceededError);
          proxy.thaw();
          await expectPoolWhole(dataSource);
          expect(await ids(dataSource)).to.deep.equal([]);
        }));
    }

    it("answers in time while BEGIN is not answered, and while no connection can be made", () =>
      behindProxy(async (dataSource) => {
        proxy.freeze();
        for (let connections = 0; connections < 2; connections += 1) {
          const running = runTransaction(dataSource, async () => 1, { timeoutMs: DEADLINE_MS });
          const { error, took } = await timedFailureOf(running);
          expect(error).to.be.instanceOf(DeadlineExceededError);
          expectWithin(took, DEADLINE_MS * 0.8, DEADLINE_MS + GRACE_MS);
        }
        proxy.thaw();
        await expectPoolWhole(dataSource);
      }));

    it("answers in time while it waits for a connection", () =>
      behindProxy(async (dataSource) => {
        const holder = dataSource.createQueryRunner();
        await holder.connect();
        const running = runTransaction(dataSource, async () => 1, { timeoutMs: DEADLINE_MS });
        const { error, took } = await timedFailureOf(running);
        expect(error).to.be.instanceOf(DeadlineExceededError);
        expectWithin(took, DEADLINE_MS * 0.8, DEADLINE_MS + GRACE_MS);
        await holder.release();
        await expectPoolWhole(dataSource);
      }, 1));

    it("calls a commit unknown that the frozen server never answers", () =>
      behindProxy(async (dataSource) => {
        const running = runTransaction(
          dataSource,
          async (tx) => {
            await insert(tx, "frozen");
            proxy.freeze();
          },
          { timeoutMs: DEADLINE_MS },
        );
        const { error, took } = await timedFailureOf(running);
        expect(error).to.be.instanceOf(CommitUnknownError);
        expect(error.cause).to.be.instanceOf(DeadlineExceededError);
        expectWithin(took, DEADLINE_MS * 0.8, DEADLINE_MS + GRACE_MS);
        proxy.thaw();
        await expectPoolWhole(dataSource);
      }));

    it("holds against a stopped server process too, and serves again once it goes on", () =>
      onServer(async (dataSource) => {
        await dataSource.query("SELECT 1");
        await server.pause();
        const runs = Array.from({ length: 8 }, () =>
          timedFailureOf(runTransaction(dataSource, (tx) => insert(tx, "x"), { timeoutMs: DEADLINE_MS })),
        );
        const answers = await Promise.all(runs);
        await server.resume();
        for (const { error, took } of answers) {
          expect(error).to.be.instanceOf(DeadlineExceededError);
          expectWithin(took, 0, DEADLINE_MS + GRACE_MS);
        }
        await expectPoolWhole(dataSource);
      }));
  });

  it("ends early when the caller's signal fires, and does not begin when it has fired", () =>
    onServer(async (dataSource) => {
      const controller = new AbortController();
      const running = runTransaction(
        dataSource,
        async (tx) => {
          await insert(tx, "a");
          controller.abort();
          await never();
        },
        { signal: controller.signal },
      );
      expect(await failureOf(running)).to.be.instanceOf(OperationAbortedError);
      let begun = false;
      const late = runTransaction(
        dataSource,
        async () => {
          begun = true;
        },
        { signal: controller.signal },
      );
      expect(await failureOf(late)).to.be.instanceOf(OperationAbortedError);
      expect(begun).to.equal(false);
      expect(await ids(dataSource)).to.deep.equal([]);
      await expectPoolWhole(dataSource);
    }));

  it("reports a commit whose answer is lost as unknown, 50 of 50, and runs none of them twice", () =>
    behindProxy(async (dataSource) => {
      let runs = 0;
      for (let round = 0; round < 50; round += 1) {
        const cut = proxy.cutAfterRequest((request) => request.includes("COMMIT"));
        const running = runTransaction(dataSource, async (tx) => {
          runs += 1;
          await insert(tx, `row-${round}`);
        });
        expect(await failureOf(running)).to.be.instanceOf(CommitUnknownError);
        await cut;
      }
      expect(runs).to.equal(50);
      expect(await ids(dataSource)).to.have.length(50);
      await expectPoolWhole(dataSource);
    }));

  it("knows that nothing was committed when the connection is lost before COMMIT, even if work overlooks it", () =>
    behindProxy(async (dataSource) => {
      const running = runTransaction(dataSource, async (tx) => {
        await insert(tx, "a");
        proxy.cutAll();
        await failureOf(tx.manager.query("SELECT 1"));
      });
      const error = await failureOf(running);
      expect(error).to.be.instanceOf(QueryError).and.not.instanceOf(CommitUnknownError);
      expect(await ids(dataSource)).to.deep.equal([]);
      await expectPoolWhole(dataSource);
    }));

  describe("with deadlocks and lock waits", () => {
    const bump = (tx: Transaction, id: string) => tx.manager.query("UPDATE things SET n = n + 1 WHERE id = ?", [id]);

    it("runs the whole transaction again after a deadlock", () =>
      onServer(async (dataSource) => {
        await dataSource.query("INSERT INTO things (id) VALUES ('a'), ('b')");
        let runs = 0;
        let arrived = 0;
        let meet!: () => void;
        const bothHoldOne = new Promise<void>((resolve) => {
          meet = resolve;
        });
        const crossing = (first: string, second: string) =>
          runTransaction(dataSource, async (tx) => {
            runs += 1;
            await bump(tx, first);
            arrived += 1;
            if (arrived === 2) meet();
            await bothHoldOne;
            await bump(tx, second);
          });
        await Promise.all([crossing("a", "b"), crossing("b", "a")]);
        expect(runs).to.be.at.least(3);
        const rows: { n: number }[] = await dataSource.query("SELECT n FROM things");
        expect(rows.map(({ n }) => n)).to.deep.equal([2, 2]);
      }));

    it("runs again even if work swallows the deadlock, and never commits half of it", () =>
      onServer(async (dataSource) => {
        await dataSource.query("INSERT INTO things (id) VALUES ('a'), ('b')");
        let arrived = 0;
        let meet!: () => void;
        const bothHoldOne = new Promise<void>((resolve) => {
          meet = resolve;
        });
        const crossing = (first: string, second: string) =>
          runTransaction(dataSource, async (tx) => {
            await bump(tx, first);
            arrived += 1;
            if (arrived === 2) meet();
            await bothHoldOne;
            await bump(tx, second).catch(() => undefined);
            await insert(tx, `after-${first}`).catch(() => undefined);
          });
        await Promise.all([crossing("a", "b"), crossing("b", "a")]);
        expect(await ids(dataSource)).to.deep.equal(["a", "after-a", "after-b", "b"]);
        const rows: { n: number }[] = await dataSource.query("SELECT n FROM things WHERE id IN ('a', 'b')");
        expect(rows.map(({ n }) => n)).to.deep.equal([2, 2]);
      }));

    it("gives up after 5 retries of a lock wait timeout", () =>
      withDataSource(server.environment, { queryTimeoutMs: 2_000 }, async (dataSource) => {
        await dataSource.query("INSERT INTO things (id) VALUES ('a')");
        const holder = dataSource.createQueryRunner();
        await holder.startTransaction();
        await holder.query("UPDATE things SET n = 1 WHERE id = 'a'");
        let runs = 0;
        const waiting = runTransaction(
          dataSource,
          (tx) => {
            runs += 1;
            return bump(tx, "a");
          },
          { timeoutMs: 20_000 },
        );
        const error = await failureOf(waiting);
        expect(error).to.be.instanceOf(TransactionRetriesError).and.include({ errno: 1205, attempts: 6 });
        expect(runs).to.equal(6);
        await holder.rollbackTransaction();
        await holder.release();
        await expectPoolWhole(dataSource);
      }));
  });

  it("shuts its manager when it ends: a forgotten statement neither runs nor reaches anyone else", () =>
    withDataSource(server.environment, { maxConnections: 1 }, async (dataSource) => {
      let kept!: Transaction;
      await runTransaction(dataSource, async (tx) => {
        kept = tx;
      });
      for (const late of [insert(kept, "late"), kept.manager.transaction((manager) => manager.query("SELECT 1"))])
        expect(await failureOf(late)).to.be.instanceOf(Error);
      const forgotten = await runTransaction(dataSource, async (tx) =>
        // Comes while COMMIT is under way.
        [new Promise((resolve) => setImmediate(resolve)).then(() => failureOf(insert(tx, "during")))],
      );
      expect(await forgotten[0]).to.be.instanceOf(QueryError);
      expect(await ids(dataSource)).to.deep.equal([]);
    }));

  it("does not hand changed session state to the next borrower", () =>
    withDataSource(server.environment, { maxConnections: 1 }, async (dataSource) => {
      await runTransaction(dataSource, async (tx) => {
        await tx.manager.query("SET @mine = 1, SESSION sql_mode = ''");
        await tx.manager.query("CREATE TEMPORARY TABLE scratch (id int)");
      });
      const [state]: unknown[] = await dataSource.query(
        "SELECT @mine AS mine, IF(@@sql_mode = '', 'yes', 'no') AS changed",
      );
      expect(state).to.deep.equal({ mine: null, changed: "no" });
      expect(await failureOf(dataSource.query("SELECT * FROM scratch"))).to.include({ errno: 1146 });
    }));

  it("nested use of the pool inside transactions ends in a typed error instead of hanging", () =>
    withDataSource(server.environment, { maxConnections: 2, acquireTimeoutMs: 200 }, async (dataSource) => {
      const nested = () => runTransaction(dataSource, () => runTransaction(dataSource, async () => 1));
      const outcomes = await Promise.allSettled([nested(), nested()]);
      const failed = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(failed).to.have.length.at.least(1);
      for (const { reason } of failed) expect(reason).to.be.instanceOf(AcquireTimeoutError);
      await expectPoolWhole(dataSource);
    }));

  it("calls a commit unknown when the server kills it", () =>
    withDataSource(server.environment, {}, async (dataSource) => {
      await withDataSource(asAdmin(server), {}, async (admin) => {
        const lock = admin.createQueryRunner();
        await lock.query("FLUSH TABLES WITH READ LOCK");
        const running = failureOf(
          runTransaction(dataSource, async (tx) => {
            const [row]: { id: string }[] = await tx.manager.query("SELECT CONNECTION_ID() AS id");
            // Rows must be changed for COMMIT to wait for the lock; the lock is taken after them.
            await lock.query("UNLOCK TABLES");
            await insert(tx, "killed");
            await lock.query("FLUSH TABLES WITH READ LOCK");
            killOnceCommitting(admin, String(row?.id));
          }),
        );
        expect(await running).to.be.instanceOf(CommitUnknownError);
        await lock.query("UNLOCK TABLES");
        await lock.release();
      });
    }));

  /** Polls the server's own list, the only signal there is that COMMIT has arrived. */
  function killOnceCommitting(admin: DataSource, id: string): void {
    const look = async (): Promise<void> => {
      const found: unknown[] = await admin.query(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ? AND INFO = 'COMMIT'",
        [id],
      );
      if (found.length === 0) return look();
      await admin.query(`KILL ${Number(id)}`);
    };
    void look();
  }
});
