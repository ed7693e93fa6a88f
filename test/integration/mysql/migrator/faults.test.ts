import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect } from "chai";
import type { QueryRunner } from "typeorm";
import { migrations } from "../../../../migrations/index.js";
import { EXIT, exitCodeOf } from "../../../../src/cli/exitCodes.js";
import { loadConfig } from "../../../../src/config/index.js";
import { type Container, createContainer } from "../../../../src/container/container.js";
import type { DataSource } from "../../../../src/mysql/dataSource.js";
import {
  type MigrationOptions,
  migrationStatus,
  planMigrations,
  runMigrations,
} from "../../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent } from "../../../../src/mysql/migrator/progress.js";
import { SteppedMigration } from "../../../../src/mysql/migrator/steppedMigration.js";
import { addIndex, createTable, dropIndex, fill } from "../../../../src/mysql/migrator/steps.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { recordingLogger } from "../../../support/recordingLogger.js";
import {
  asAdmin,
  expectWithin,
  failureOf,
  mysqlConfig,
  rowIsWaitedFor,
  timedFailureOf,
  withDataSource,
} from "../testDataSource.js";
import { freshDatabase, schemaOf, withMigrations } from "./freshDatabase.js";
import { OtherPrograms } from "./otherPrograms.js";

/** As long as a rebuild may take, in a statement that can be stopped. */
class SleepLong1000000000001 extends SteppedMigration {
  readonly upSteps = [fill("notes", "INSERT INTO notes SELECT SLEEP(0.2) FROM information_schema.COLLATIONS")];
  readonly downSteps = [];
}

class IndexNotes1000000000002 extends SteppedMigration {
  readonly upSteps = [addIndex("notes", { name: "idx_notes", unique: false, columns: ["n"] })];
  readonly downSteps = [];
}

class MakeNotes1000000000001 extends SteppedMigration {
  readonly upSteps = [
    createTable({
      name: "notes",
      columns: [{ name: "n", type: "int", nullable: true }],
      indexes: [{ name: "idx_notes", unique: false, columns: ["n"] }],
      foreignKeys: [],
    }),
  ];
  readonly downSteps = [];
}

class UnindexNotes1000000000002 extends SteppedMigration {
  readonly upSteps = [dropIndex("notes", "idx_notes")];
  readonly downSteps = [];
}

describe("migrations when things go wrong", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;
  let expected: string;
  let databases = 0;

  before(async () => {
    server = await startMysqlServer();
    const fresh = await freshDatabase(server, "expected");
    await runMigrations(mysqlConfig(fresh));
    expected = await schemaOf(fresh);
  });
  after(() => server?.stop());
  beforeEach(async () => {
    databases += 1;
    environment = await freshDatabase(server, `faults_${databases}`);
  });

  const run = (options?: MigrationOptions) => runMigrations(mysqlConfig(environment), options);
  const query = (sql: string) => withDataSource(environment, {}, (dataSource) => dataSource.query(sql));
  const expectWhole = async () => {
    expect(await schemaOf(environment)).to.equal(expected);
    const recorded = await query("SELECT name FROM migrations ORDER BY timestamp");
    expect(recorded).to.deep.equal(migrations.map(({ name }) => ({ name })));
  };

  interface Tapped {
    readonly sql: string;
    /** The statement with its parameters. */
    readonly whole: string;
    /** How many statements that change something were sent before this one. */
    readonly nth: number;
    readonly connectionId: number;
  }

  /** Runs the migrations; before each statement that changes something `tap` is called, and what it returns is sent. */
  const runTapped = (tap: (tapped: Tapped) => string | Promise<string>, options: MigrationOptions = {}) => {
    let nth = 0;
    const tapping = (migrator: DataSource, runner: QueryRunner) => {
      const send = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
      const connection = async () => ((await send("SELECT CONNECTION_ID() AS id")) as { id: unknown }[])[0]?.id;
      runner.query = async (sql: string, ...rest: unknown[]) => {
        if (/^(SELECT|SHOW|SET|KILL)\b/.test(sql)) return (await send(sql, ...rest)) as never;
        const tapped = await tap({
          sql,
          whole: JSON.stringify([sql, ...rest]),
          nth,
          connectionId: Number(await connection()),
        });
        nth += 1;
        return (await (tapped === sql ? send(sql, ...rest) : send(tapped))) as never;
      };
      return migrator && runner;
    };
    return withMigrations(
      environment,
      undefined,
      (migrator) => {
        const createQueryRunner = migrator.createQueryRunner.bind(migrator);
        migrator.createQueryRunner = (mode) => tapping(migrator, createQueryRunner(mode));
        return migrator.runMigrations();
      },
      options,
    );
  };

  it("converge when the connection is killed at each statement in turn, before it or during it", () =>
    withDataSource(asAdmin(server), {}, async (killer) => {
      const killedAt = new Set<string>();
      const failedRun = () => {
        const before = killedAt.size;
        return runTapped(async ({ sql, whole, connectionId }) => {
          if (killedAt.size > before || killedAt.has(whole)) return sql;
          killedAt.add(whole);
          const killing = killer.query("KILL ?", [connectionId]);
          // Whether the server still does the others is left to chance.
          if (before % 2 === 0) await killing;
          else killing.catch(() => undefined);
          return sql;
        }).then(
          () => false,
          (error: Error) => {
            expect(error.name, error.message).to.be.oneOf(["MigrationFailedError", "QueryError"]);
            return true;
          },
        );
      };
      let failures = 0;
      while (await failedRun()) failures += 1;
      expect(killedAt.size).to.be.above(40);
      expect(failures).to.be.at.least(killedAt.size / 2);
      await expectWhole();
    }));

  it("try each statement again that meets a lock wait time-out, the history's own too", async () => {
    const met = new Set<string>();
    const events: MigrationEvent[] = [];
    const late = ({ sql, whole }: Tapped) => {
      const answer = met.has(whole) ? sql : "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205";
      met.add(whole);
      return answer;
    };
    await runTapped(late, { onProgress: (event) => events.push(event) });
    expect(met.size).to.be.above(40);
    expect(events.filter(({ kind }) => kind === "retrying")).to.have.length(met.size);
    await expectWhole();
  });

  it("wait a second at most behind an open transaction, so that nobody queues behind them for longer, and try again", () =>
    withDataSource(asAdmin(server), {}, async (admin) => {
      await query("CREATE TABLE notes (n int)");
      const holder = admin.createQueryRunner();
      await holder.query(`USE ${environment.MYSQL_DB_NAME}`);
      const [{ id }] = await holder.query("SELECT CONNECTION_ID() AS id");
      await holder.query("START TRANSACTION");
      await holder.query("SELECT * FROM notes");
      const events: MigrationEvent[] = [];
      const reads: Promise<number>[] = [];
      const options: MigrationOptions = {
        onProgress: (event) => {
          events.push(event);
          if (event.kind === "statement" && event.table === "notes") reads.push(timed(query("SELECT * FROM notes")));
          if (event.kind === "retrying" && event.attempt === 2) void holder.release();
        },
      };
      const asWatchful = { ...asAdmin(server), MYSQL_DB_NAME: environment.MYSQL_DB_NAME };
      await withMigrations(asWatchful, [IndexNotes1000000000002], (migrator) => migrator.runMigrations(), options);
      const retries = events.flatMap((event) => (event.kind === "retrying" ? [event] : []));
      expect(retries.map(({ attempt }) => attempt)).to.deep.equal([1, 2]);
      expect(retries[0]?.heldBy.map(({ connectionId }) => connectionId)).to.deep.equal([Number(id)]);
      expect(retries[0]?.message).to.include(`in use by connection ${id} (admin@`);
      for (const ms of await Promise.all(reads)) expect(ms).to.be.below(5_000);
      expect(reads).to.have.length(1);
    }));

  it("wait for a table that others have locked when the rows are checked, to plan and to run, and name it when it is too long", () =>
    withDataSource(environment, {}, async (dataSource) => {
      await withMigrations(environment, migrations.slice(0, 1), (migrator) => migrator.runMigrations());
      const holder = dataSource.createQueryRunner();
      for (const way of [planMigrations, runMigrations]) {
        await holder.query("LOCK TABLES router_meeting WRITE");
        const error = await failureOf(way(mysqlConfig(environment), { blockedTimeoutMs: 1 }));
        expect(error).to.include({ code: "ErrMigrationBlocked", table: "router_meeting" });
        const freed: Promise<unknown>[] = [];
        const onProgress = (event: MigrationEvent) => {
          if (event.kind === "retrying" && event.attempt === 2) freed.push(holder.query("UNLOCK TABLES"));
        };
        await way(mysqlConfig(environment), { onProgress });
        expect(freed).to.have.length(1);
        await Promise.all(freed);
      }
      await holder.release();
      await expectWhole();
    }));

  it("give up with a typed error that names the table and, where that may be seen, who holds it", () =>
    withDataSource(environment, {}, async (dataSource) => {
      await query("CREATE TABLE notes (n int)");
      const holder = dataSource.createQueryRunner();
      const [{ id }] = await holder.query("SELECT CONNECTION_ID() AS id");
      await holder.query("START TRANSACTION");
      await holder.query("SELECT * FROM notes");
      const give = (user: Environment) =>
        failureOf(
          withMigrations(user, [IndexNotes1000000000002], (migrator) => migrator.runMigrations(), {
            blockedTimeoutMs: 1,
          }),
        );
      const [blind, sighted] = [
        await give(environment),
        await give({ ...asAdmin(server), MYSQL_DB_NAME: environment.MYSQL_DB_NAME }),
      ];
      for (const error of [blind, sighted])
        expect(error).to.include({ code: "ErrMigrationBlocked", table: "notes", migration: "IndexNotes1000000000002" });
      expect(blind.message).to.include("with the privilege PROCESS");
      expect(sighted.message).to.include(`by connection ${id} (doordarshan@`);
      await holder.release();
    }));

  it("end within a bounded time when the server freezes in the middle of a step, and go on when it answers again", async () => {
    const { error, took } = await timedFailureOf(
      runTapped(
        async ({ sql, nth }) => {
          if (nth === 9) await server.pause();
          return sql;
        },
        { silenceTimeoutMs: 2_000 },
      ),
    ).finally(() => server.resume());
    expect(error).to.have.property("code", "ErrDeadlineExceeded");
    expect(error.message).to.match(/has not answered for \d+ ms while CreateMeetingTables\d+ changed \w+/);
    expectWithin(took, 0, 15_000);
    await run();
    await expectWhole();
  });

  it("tell what a long statement does, and stop it at once when they are interrupted", async () => {
    await query("CREATE TABLE notes (n int)");
    const interrupt = new AbortController();
    const running: MigrationEvent[] = [];
    const options: MigrationOptions = {
      interrupt: interrupt.signal,
      onProgress: (event) => {
        if (event.kind !== "running") return;
        running.push(event);
        interrupt.abort();
      },
    };
    const { error, took } = await timedFailureOf(
      withMigrations(environment, [SleepLong1000000000001], (migrator) => migrator.runMigrations(), options),
    );
    expect(error).to.have.property("code", "ErrAborted");
    expectWithin(took, 0, 30_000);
    expect(running[0]).to.include({ migration: "SleepLong1000000000001", table: "notes" });
    expect(running[0]).to.have.property("elapsedMs").that.is.at.least(1_000);
    expect(running[0]?.message).to.match(/^SleepLong1000000000001: notes, \d+ s \(.*\)$/);
    expect(await query("SELECT * FROM migrations")).to.deep.equal([]);
    expect(await query("SELECT * FROM notes")).to.deep.equal([]);
  });

  it("notice that the server has lost their connection, though nothing tells them so", async () => {
    await query("CREATE TABLE notes (n int)");
    const gap = await startEavesdropper(server.port, "SLEEP", (deafen) => deafen("its"));
    const behind = { ...environment, MYSQL_PORT: gap.port };
    try {
      const error = await withDataSource(asAdmin(server), {}, (admin) => {
        const kill = async () => {
          const [row] = await admin.query(
            "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT INTO notes%'",
          );
          await admin.query("KILL ?", [Number(row.id)]);
        };
        let killing: Promise<void> | undefined;
        const onProgress = ({ kind }: MigrationEvent) => {
          if (kind === "running") killing ??= kill();
        };
        const running = withMigrations(behind, [SleepLong1000000000001], (migrator) => migrator.runMigrations(), {
          onProgress,
        });
        return failureOf(running).finally(() => killing);
      });
      expect(error).to.include({ code: "ErrMigrationFailed", table: "notes" });
      expect(error.message).to.include("The server has lost the migrator's connection");
    } finally {
      gap.close();
    }
  });

  it("stop before the next statement when the container that runs them is stopped", async () => {
    const { mysql, ...rest } = loadConfig({ ...environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" });
    const told: string[] = [];
    const logger = recordingLogger();
    const info = (fields: object, message: string) => {
      if ((fields as { kind?: string }).kind !== "statement") return;
      told.push(message);
      container.stop().catch(() => undefined);
    };
    const container: Container = createContainer(
      { mysql, ...rest },
      { migrations: "run", logger: { ...logger, info } },
    );
    const error = await failureOf(container.start());
    expect(error).to.include({ code: "ErrStartup", stage: "schema" });
    await container.stop();
    expect(told).to.have.length(1);
    await run();
    await expectWhole();
  });

  it("do not begin when the container that would run them is stopped while it looks which are pending", async () => {
    let stopping: Promise<void> | undefined;
    const ear = await startEavesdropper(server.port, "FROM migrations", () => {
      stopping ??= container.stop();
    });
    const behind = { ...environment, MYSQL_PORT: ear.port, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" };
    const container = createContainer(loadConfig(behind), { migrations: "run", logger: recordingLogger() });
    try {
      expect(await failureOf(container.start())).to.include({ code: "ErrStartup", stage: "schema" });
      await stopping;
      expect(await query("SHOW TABLES")).to.deep.equal([]);
    } finally {
      ear.close();
    }
  });

  it("do not keep those who only look waiting for ever when the server freezes", async () => {
    const gap = await startEavesdropper(server.port, "FROM migrations", (deafen) => deafen("all"));
    const behind = mysqlConfig({ ...environment, MYSQL_PORT: gap.port });
    try {
      const { error, took } = await timedFailureOf(migrationStatus(behind, { silenceTimeoutMs: 1_000 }));
      expect(error).to.have.property("code", "ErrDeadlineExceeded");
      expectWithin(took, 0, 15_000);
    } finally {
      gap.close();
    }
  });

  it("see in the same run what an earlier one of them made with its table", async () => {
    await withMigrations(environment, [MakeNotes1000000000001, UnindexNotes1000000000002], (migrator) =>
      migrator.runMigrations(),
    );
    expect(await query("SHOW INDEX FROM notes")).to.deep.equal([]);
  });

  it("stop before the next statement when the caller's signal fires, and go on at the next run", async () => {
    const abort = new AbortController();
    let statements = 0;
    const onProgress = ({ kind }: MigrationEvent) => {
      if (kind === "statement") statements += 1;
      if (statements === 5) abort.abort();
    };
    expect(await failureOf(run({ signal: abort.signal, onProgress }))).to.have.property("code", "ErrAborted");
    expect(statements).to.equal(5);
    await run();
    await expectWhole();
  });

  it("do it with a lock where the engine cannot do it online, and say so first", async () => {
    await withMigrations(environment, migrations.slice(0, 1), (migrator) => migrator.runMigrations());
    await query("ALTER TABLE router_meeting ADD FULLTEXT KEY odd (container_id)");
    const told: { sql: string; blocks: string }[] = [];
    await run({ onProgress: (event) => event.kind === "statement" && told.push(event) });
    const [first, second] = told.filter(({ sql }) => sql.includes("router_meeting ADD PRIMARY KEY"));
    expect(first?.sql).to.include("LOCK=NONE");
    expect(second).to.deep.include({ blocks: "writers" });
    expect(second?.sql).to.include("ALGORITHM=COPY, LOCK=SHARED");
    await query("ALTER TABLE router_meeting DROP KEY odd");
    await query("ALTER TABLE router_meeting ENGINE=InnoDB");
    await expectWhole();
  });

  it("say what helps where MySQL makes keys of its own or requires them from the first statement on", async function () {
    // MariaDB has neither setting.
    if (server.version.includes("MariaDB")) return this.skip();
    const set = (variable: string, value: "ON" | "OFF") =>
      withDataSource(asAdmin(server), {}, (admin) => admin.query(`SET GLOBAL ${variable} = ${value}`));
    await set("sql_generate_invisible_primary_key", "ON");
    try {
      const refused = await failureOf(run());
      expect(refused).to.include({ code: "ErrMigrationSetting", variable: "sql_generate_invisible_primary_key" });
      expect(exitCodeOf(refused)).to.equal(EXIT.refused);
      expect(await query("SHOW TABLES")).to.deep.equal([]);
      const admin = { ...asAdmin(server), MYSQL_DB_NAME: (await freshDatabase(server, "by_admin")).MYSQL_DB_NAME };
      await runMigrations(mysqlConfig(admin));
      expect(await schemaOf(admin)).to.equal(expected);
    } finally {
      await set("sql_generate_invisible_primary_key", "OFF");
    }
    await set("sql_require_primary_key", "ON");
    try {
      const failed = await failureOf(run());
      expect(failed).to.have.property("code", "ErrMigrationFailed");
      expect(failed.message).to.include("SET GLOBAL sql_require_primary_key = OFF");
    } finally {
      await set("sql_require_primary_key", "OFF");
    }
    await run();
    await expectWhole();
  });

  it("name the migration and the table where a statement fails, and go on once its cause is gone", async () => {
    await withMigrations(environment, migrations.slice(0, 2), (migrator) => migrator.runMigrations());
    await query("ALTER TABLE router_meeting RENAME COLUMN container_id TO elsewhere");
    const error = await failureOf(run());
    expect(error).to.include({ code: "ErrMigrationFailed", table: "router_meeting" });
    expect(error.message).to.match(/^AddOperationIndexes\d+ failed at router_meeting: /);
    await query("ALTER TABLE router_meeting RENAME COLUMN elsewhere TO container_id");
    await run();
    await expectWhole();
  });

  it("count what other programs are about to commit, on a server that defaults to READ COMMITTED", async () => {
    const lax = await startMysqlServer({ args: ["--transaction-isolation=READ-COMMITTED"] });
    const programs = new OtherPrograms(lax.environment);
    try {
      const send = (sql: string) => withDataSource(lax.environment, {}, (dataSource) => dataSource.query(sql));
      await withMigrations(lax.environment, migrations.slice(0, -1), (migrator) => migrator.runMigrations());
      await send("INSERT INTO worker_container (container_id, worker_id) VALUES ('c', 'w')");
      await send("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)");
      await send("INSERT INTO router_worker (worker_id, router_id) VALUES ('w', 'r')");
      let running: Promise<unknown> | undefined;
      await programs.transaction(async (transaction) => {
        await transaction.query("INSERT INTO router_meeting (router_id, meeting_id, capacity) VALUES ('r', 'm', 40)");
        running = runMigrations(mysqlConfig(lax.environment));
        await Promise.race([rowIsWaitedFor(lax), running]);
      });
      await running;
      const [load] = await send("SELECT used FROM worker_load");
      expect(Number(load.used)).to.equal(40);
    } finally {
      await programs.end();
      await lax.stop();
    }
  });

  it("come back to triggers that the server refused, and to what counts on them, once it lets them be", async () => {
    const args = ["--log-bin=bin", "--server-id=1", "--log-bin-trust-function-creators=OFF"];
    const strict = await startMysqlServer({ args });
    try {
      const events: MigrationEvent[] = [];
      const again = () => runMigrations(mysqlConfig(strict.environment), { onProgress: (event) => events.push(event) });
      const seen = (kind: MigrationEvent["kind"]) => events.filter((event) => event.kind === kind);
      await again();
      expect(await again()).to.deep.equal([]);
      expect(seen("refused")).to.have.length(2);
      expect(seen("completed")).to.deep.equal([]);
      await withDataSource(strict.environment, {}, (dataSource) =>
        dataSource.query("INSERT INTO worker_container (container_id, worker_id) VALUES ('c', 'w')"),
      );
      await withDataSource(asAdmin(strict), {}, (admin) =>
        admin.query("SET GLOBAL log_bin_trust_function_creators = 1"),
      );
      expect(await again()).to.deep.equal([]);
      expect(seen("completed").map((event) => "migration" in event && event.migration)).to.deep.equal([
        "AddTriggers1795316400000",
        "CountLoads1795320000000",
      ]);
      expect(await schemaOf(strict.environment)).to.equal(expected);
      const counted = await withDataSource(strict.environment, {}, (dataSource) =>
        dataSource.query("SELECT worker_id FROM worker_load"),
      );
      expect(counted).to.deep.equal([{ worker_id: "w" }]);
    } finally {
      await strict.stop();
    }
  });
});

/** Who hears nothing more of the server, not even its end: the connection that sent something, or all of them. */
type Deafen = (whose: "its" | "all") => void;

/** Passes everything on, and calls `heard` before each request that holds `word`. */
async function startEavesdropper(port: number, word: string, heard: (deafen: Deafen) => void): Promise<Eavesdropper> {
  let allDeaf = false;
  const listener = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    let isDeaf = false;
    const deafen: Deafen = (whose) => {
      isDeaf = true;
      allDeaf ||= whose === "all";
    };
    for (const socket of [client, upstream]) socket.on("error", () => undefined);
    client.on("data", (data) => {
      if (data.includes(word)) heard(deafen);
      upstream.write(data);
    });
    client.on("close", () => upstream.destroy());
    upstream.on("data", (data) => !isDeaf && !allDeaf && client.write(data));
    upstream.on("close", () => !isDeaf && !allDeaf && client.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return { port: String((listener.address() as AddressInfo).port), close: () => void listener.close() };
}

interface Eavesdropper {
  readonly port: string;
  close(): void;
}

async function timed(promise: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await promise;
  return performance.now() - began;
}
