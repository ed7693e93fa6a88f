import { expect } from "chai";
import { type Connection, createConnection } from "mysql2/promise";
import { migrations } from "../../../migrations/index.js";
import { loadMysqlConfig, type MysqlOnlyConfig } from "../../../src/config/index.js";
import { lockName } from "../../../src/mysql/migrator/lock.js";
import { revertMigrations, runMigrations } from "../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import type { Outcome } from "./running.js";
import { installPackage, migrate, startMigrate } from "./servicePackage.js";

const NAMES = migrations.map(({ name }) => name);

describe("doordarshan-data migrate", function () {
  this.timeout(180_000);
  let server: MysqlServer;
  let environment: Record<string, string>;
  let config: MysqlOnlyConfig;
  let admin: Connection;

  before(async () => {
    await installPackage();
    server = await startMysqlServer();
    environment = server.environment;
    config = loadMysqlConfig(environment);
    const { username: user, password } = server.admin;
    admin = await createConnection({ host: server.host, port: server.port, user, password, database: "doordarshan" });
  });
  beforeEach(async () => {
    await admin.query("DROP DATABASE doordarshan");
    await admin.query("CREATE DATABASE doordarshan CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    await admin.query("USE doordarshan");
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  const run = async (...args: string[]): Promise<Outcome> => {
    const outcome = await migrate(environment, ...args);
    for (const output of [outcome.stdout, outcome.stderr])
      expect(output).not.to.include(environment.MYSQL_PASSWORD as string);
    return outcome;
  };
  const runJson = async (...args: string[]) => {
    const outcome = await run(...args, "--json");
    const lines = outcome.stderr.split("\n").filter((line) => line !== "");
    return {
      exit: outcome.exit,
      result: JSON.parse(outcome.stdout),
      events: lines.map((line) => JSON.parse(line) as { kind: string; migration?: string }),
    };
  };

  it("a database's life: plan, up, status, check, down, for people", async () => {
    const plan = await run("plan");
    expect(plan).to.include({ exit: 0, stderr: "" });
    for (const name of NAMES) expect(plan.stdout).to.match(new RegExp(`^${name}$`, "m"));
    expect(plan.stdout).to.include(
      "  meeting_status: new; nobody waits\n    CREATE TABLE IF NOT EXISTS meeting_status (",
    );

    const up = await run("up");
    expect(up.exit, up.stderr).to.equal(0);
    expect(up.stdout).to.equal(`Applied 6 migrations:\n${NAMES.map((name) => `  ${name}\n`).join("")}`);
    expect(up.stderr).to.equal(NAMES.map((name) => `Applied ${name}\n`).join(""));
    expect(await run("up")).to.deep.equal({
      exit: 0,
      stdout: "Nothing to do: the database is up to date.\n",
      stderr: "",
    });

    const status = await run("status");
    for (const name of NAMES) expect(status.stdout).to.match(new RegExp(`^${name} +applied +\\d{4}-\\S+Z +ok$`, "m"));
    expect(status.stdout).to.match(/\n6 applied, 0 pending\.\n$/);
    expect(await run("check")).to.deep.equal({
      exit: 0,
      stdout: "The schema is as this version expects it.\n",
      stderr: "",
    });

    await admin.query("ALTER TABLE meeting_status ADD extra int NULL, DROP COLUMN enabled");
    const check = await run("check");
    expect(check).to.include({ exit: 1, stderr: "" });
    expect(check.stdout)
      .to.match(/^meeting_status:\n/)
      .and.match(/^ {2}- enabled /m)
      .and.match(/^ {2}\+ extra int/m);
    await admin.query("ALTER TABLE meeting_status ADD enabled tinyint(1) NULL, DROP COLUMN extra");

    const down = await run("down", "2");
    expect(down.stdout).to.equal(`Reverted 2 migrations:\n  ${NAMES[5]}\n  ${NAMES[4]}\n`);
    const drifted = await run("check");
    expect(drifted.exit).to.equal(1);
    expect(drifted.stderr).to.equal("Not all migrations are applied (2 pending): see migrate status\n");
    expect((await run("status")).stdout).to.match(/\n4 applied, 2 pending\.\n$/);
  });

  it("the same for machines: one document on standard output, events on standard error", async () => {
    const plan = await runJson("plan");
    expect(plan.result.migrations.map(({ name }: { name: string }) => name)).to.deep.equal(["migrations", ...NAMES]);
    expect(plan.result.migrations[1].statements[0]).to.include({
      table: "container_heartbeat",
      blocks: "nobody",
      rebuilds: false,
    });

    const up = await runJson("up");
    expect(up).to.deep.include({ exit: 0, result: { applied: NAMES, warnings: [] } });
    expect(up.events.filter(({ kind }) => kind === "applied").map((event) => event.migration)).to.deep.equal(NAMES);
    expect((await runJson("check")).result).to.deep.equal({ drift: [] });
    expect((await runJson("up")).result).to.deep.equal({ applied: [], warnings: [] });

    const { result } = await runJson("status");
    expect(result.migrations.map(({ name }: { name: string }) => name)).to.deep.equal(NAMES);
    for (const { state, appliedAt } of result.migrations) {
      expect(state).to.equal("applied");
      expect(Math.abs(Date.parse(appliedAt) - Date.now())).to.be.below(120_000);
    }
    expect((await runJson("down", "7")).result).to.deep.equal({ reverted: NAMES.toReversed(), warnings: [] });
    expect(await runJson("down")).to.deep.equal({ exit: 0, result: { reverted: [], warnings: [] }, events: [] });
  });

  it("refuses, changing nothing, with 3: rows that would be lost, unless that is allowed", async () => {
    await runMigrations(config);
    await admin.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)");
    const refused = await run("down", "6");
    expect(refused).to.include({ exit: 3, stdout: "" });
    expect(refused.stderr)
      .to.include("error: Rows would be lost: meeting_status has 1")
      .and.include("--allow-data-loss");
    expect(await run("check")).to.include({ exit: 0 });
    expect(await run("down", "6", "--allow-data-loss")).to.include({ exit: 0 });
  });

  it("refuses, changing nothing, with 3: a history that does not fit", async () => {
    await runMigrations(config);
    await admin.query("UPDATE migrations SET checksum = 'x' WHERE name = ?", [NAMES[1]]);
    await admin.query("INSERT INTO migrations (timestamp, name) VALUES (9999999999999, 'AddThings9999999999999')");
    const up = await runJson("up");
    expect(up).to.deep.include({ exit: 3, events: [] });
    expect(up.result.error).to.include({ code: "ErrMigrationHistory" });
    expect(up.result.error.problems).to.have.deep.members([
      { name: NAMES[1], problem: "edited" },
      { name: "AddThings9999999999999", problem: "newer" },
    ]);
    const status = await run("status");
    expect(status.exit).to.equal(0);
    expect(status.stdout)
      .to.match(new RegExp(`^${NAMES[1]} .* edited$`, "m"))
      .and.match(/^AddThings.* newer$/m);
  });

  it("refuses, changing nothing, with 3: a table that cannot be taken over, listing all that stands in the way", async () => {
    await admin.query(
      "CREATE TABLE meeting_status (meeting_id varchar(64) NOT NULL, enabled text, PRIMARY KEY (meeting_id))",
    );
    await admin.query("CREATE TABLE container_status (container_id varchar(64) NOT NULL, PRIMARY KEY (container_id))");
    const up = await run("up");
    expect(up).to.include({ exit: 3, stdout: "" });
    expect(up.stderr)
      .to.match(/^ {2}meeting_status .*enabled/m)
      .and.match(/^ {2}container_status .*status/m);
    const [tables] = (await admin.query("SHOW TABLES")) as unknown as [unknown[]];
    expect(tables).to.have.length(2);
    expect((await runJson("plan")).result.error.problems).to.have.length.above(1);
  });

  it("says with 4 who holds the migration lock, or a table, for too long", async () => {
    await admin.query("SELECT GET_LOCK(?, 0)", [lockName("doordarshan")]);
    try {
      const waiting = await run("up", "--lock-timeout", "1");
      expect(waiting).to.include({ exit: 4, stdout: "" });
      expect(waiting.stderr)
        .to.include("Waiting for another process that migrates this database: connection ")
        .and.include("error: Another process has held the migration lock");
    } finally {
      await admin.query("SELECT RELEASE_LOCK(?)", [lockName("doordarshan")]);
    }
    await runMigrations(config);
    await revertMigrations(config, 5);
    await whileInUse(async () => {
      const blocked = await run("up", "--blocked-timeout", "1");
      expect(blocked).to.include({ exit: 4, stdout: "" });
      expect(blocked.stderr).to.match(/^error: AddPrimaryKeys\d+ could not get at router_meeting/m);
    });
    expect((await run("up")).exit).to.equal(0);
  });

  it("says with 5 that the server cannot be reached or does not let the user in", async () => {
    const nowhere = await migrate({ ...environment, MYSQL_PORT: "1" }, "up");
    expect(nowhere).to.include({ exit: 5, stdout: "" });
    expect(nowhere.stderr).to.include("error: ").and.include("ECONNREFUSED").and.include("Check that MySQL runs");
    const stranger = await migrate({ ...environment, MYSQL_PASSWORD: "canary-Zq8" }, "status", "--json");
    expect(stranger.exit).to.equal(5);
    expect(JSON.parse(stranger.stdout).error).to.include({ code: "ErrPingingMysql" });
    expect(stranger.stdout + stranger.stderr).not.to.include("canary");
  });

  it("says with 2 what is wrong with the configuration, all at once, and needs none of Redis", async () => {
    const bad = await migrate({ MYSQL_PORT: "x", MYSQL_MIGRATION_PASSWORD: "canary-Zq8" }, "up");
    expect(bad).to.include({ exit: 2, stdout: "" });
    for (const name of ["MYSQL_PORT", "MYSQL_ENDPOINT", "MYSQL_DB_NAME", "MYSQL_USERNAME", "MYSQL_MIGRATION_PASSWORD"])
      expect(bad.stderr).to.match(new RegExp(`^  ${name} `, "m"));
    expect(bad.stderr).not.to.include("REDIS").and.not.include("canary");
  });

  it("says with 2 what is wrong with the command, and explains each with an example", async () => {
    const wrong = [
      [],
      ["sideways"],
      ["up", "--fast"],
      ["up", "more"],
      ["down", "0"],
      ["up", "--lock-timeout", "1e3"],
      ["create"],
    ];
    for (const args of wrong) {
      const { exit, stdout, stderr } = await run(...args);
      expect({ exit, stdout }, args.join(" ")).to.deep.equal({ exit: 2, stdout: "" });
      expect(stderr).to.match(/^error: |^Usage: doordarshan-data migrate/);
    }
    const helps = ["up", "down", "status", "plan", "check", "create"].map(async (command) => {
      const { exit, stdout } = await run(command, "--help");
      expect(exit).to.equal(0);
      expect(stdout)
        .to.include(`Usage: doordarshan-data migrate ${command}`)
        .and.match(/Example:\n {2}doordarshan-data/);
      expect(stdout)
        .to.match(/Exit codes:\n {2}0 /)
        .and.include("--json")
        .and.include("MYSQL_MIGRATION_USERNAME");
    });
    await Promise.all(helps);
  });

  it("stops at Ctrl-C before the next statement, says what is left, and goes on from there", async () => {
    await runMigrations(config);
    await revertMigrations(config, 5);
    await whileInUse(async () => {
      const running = await startMigrate(environment, ["up"]);
      await running.saysOnStderr(/router_meeting is in use/);
      running.child.kill("SIGINT");
      const { exit, stdout, stderr } = await running.outcome;
      expect({ exit, stdout }).to.deep.equal({ exit: 130, stdout: "" });
      expect(stderr).to.include("Stopping after the statement that runs");
      expect(stderr).to.include(`Not applied: ${NAMES.slice(1).join(", ")}\n`);
    });
    expect((await run("up")).stdout).to.include("Applied 5 migrations:");
  });

  it("lets the statement that runs finish at the first signal, and ends it at the second", async () => {
    await runMigrations(config);
    await admin.query("INSERT INTO worker_container (container_id, worker_id) VALUES ('c', 'w')");
    await revertMigrations(config);
    await makeCountingSlow();
    const began = performance.now();
    const running = await startMigrate(environment, ["up", "--json"]);
    await running.saysOnStderr(/"kind":"running"/);
    running.child.kill("SIGTERM");
    await running.saysOnStderr(/Stopping after/);
    running.child.kill("SIGINT");
    const { exit, stdout } = await running.outcome;
    expect(exit).to.equal(143);
    expect(JSON.parse(stdout)).to.deep.include({ left: [NAMES[5]] });
    expect(performance.now() - began).to.be.below(50_000);
    expect(await admin.query("SELECT * FROM worker_load").then(([rows]) => rows)).to.deep.equal([]);
  });

  /** As the user who migrates, since MariaDB shows what a trigger does under its creator's name. */
  async function makeCountingSlow(): Promise<void> {
    const { MYSQL_USERNAME: user = "", MYSQL_PASSWORD: password = "" } = environment;
    const owner = await createConnection({
      host: server.host,
      port: server.port,
      user,
      password,
      database: "doordarshan",
    });
    await owner.query(
      "CREATE TRIGGER slow BEFORE INSERT ON worker_load FOR EACH ROW SET NEW.used = NEW.used + SLEEP(60)",
    );
    await owner.end();
  }

  /** Another program has a transaction open on router_meeting. */
  async function whileInUse(use: () => Promise<void>): Promise<void> {
    await admin.beginTransaction();
    try {
      await admin.query("SELECT * FROM router_meeting");
      await use();
    } finally {
      await admin.rollback();
    }
  }
});
