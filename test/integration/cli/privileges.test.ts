import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type Connection, createConnection } from "mysql2/promise";
import { MeetingLife } from "../../../src/cli/meetingLife.js";
import { loadConfig, loadMysqlConfig } from "../../../src/config/index.js";
import { createContainer } from "../../../src/container/container.js";
import { MigrationFailedError, QueryError } from "../../../src/errors.js";
import {
  checkSchema,
  migrationStatus,
  planMigrations,
  revertMigrations,
  runMigrations,
} from "../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent } from "../../../src/mysql/migrator/progress.js";
import { type MysqlServer, type RedisServer, startMysqlServer, startRedisServer } from "../../../src/testing/index.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { createHandmadeTables, FEW, fillHandmadeTables } from "../mysql/migrator/adoptedDatabase.js";
import { failureOf } from "../mysql/testDataSource.js";
import { ROOT } from "./running.js";
import { installPackage, migrate } from "./servicePackage.js";

const guide = readFileSync(join(ROOT, "docs/migrations.md"), "utf8");
const [grants = [], trust = []] = [...guide.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = ""]) =>
  sql.split(";\n").filter((statement) => statement.trim() !== ""),
);
const PASSWORDS = { migrator: "change this first", service: "change this too" };
const silent = { title: () => {}, step: () => {}, done: () => {}, progress: () => {}, failed: () => {} };

/** The admin's connection, and the environment of a service with the two users that the guide makes. */
async function prepare(server: MysqlServer): Promise<{ admin: Connection; environment: Record<string, string> }> {
  const admin = await connect(server, server.admin.username, server.admin.password);
  for (const statement of grants) await admin.query(statement);
  const environment = {
    ...server.environment,
    MYSQL_USERNAME: "service",
    MYSQL_PASSWORD: PASSWORDS.service,
    MYSQL_MIGRATION_USERNAME: "migrator",
    MYSQL_MIGRATION_PASSWORD: PASSWORDS.migrator,
  };
  return { admin, environment };
}

function connect({ host, port }: MysqlServer, user: string, password: string): Promise<Connection> {
  return createConnection({ host, port, user, password, database: "doordarshan" });
}

async function recreateDatabase(admin: Connection): Promise<void> {
  await admin.query("DROP DATABASE doordarshan");
  await admin.query("CREATE DATABASE doordarshan CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  await admin.query("USE doordarshan");
}

describe("the users that docs/migrations.md grants rights to", function () {
  this.timeout(180_000);
  let server: MysqlServer;
  let redis: RedisServer;
  let admin: Connection;
  let environment: Record<string, string>;

  before(async () => {
    [server, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    ({ admin, environment } = await prepare(server));
  });
  beforeEach(() => recreateDatabase(admin));
  after(async () => {
    await admin?.end();
    await Promise.all([server?.stop(), redis?.stop()]);
  });

  it("boot a container that migrates, and live a meeting's life", async () => {
    const config = loadConfig({ ...environment, ...redis.environment });
    const container = createContainer(config, { migrations: "run", logger: recordingLogger() });
    await container.start();
    try {
      await new MeetingLife(container, silent, "m").tell();
      await container.repositories.fleet.recount();
      await container.repositories.meetings.sweepOrphans();
      expect((await container.health()).mysql.status).to.equal("up");
    } finally {
      await container.stop();
    }
  });

  it("run every command", async () => {
    const config = loadMysqlConfig(environment);
    expect(await planMigrations(config)).to.have.length(7);
    expect(await runMigrations(config)).to.have.length(6);
    expect(await checkSchema(config)).to.deep.equal({ tables: [] });
    expect(await migrationStatus(config)).to.have.length(6);
    expect(await revertMigrations(config, 6)).to.have.length(6);
  });

  it("come from a secret file as well", async () => {
    const file = join(await installPackage(), "migrator.secret");
    await writeFile(file, `migrator:${PASSWORDS.migrator}`, { mode: 0o600 });
    const { MYSQL_MIGRATION_USERNAME: _, MYSQL_MIGRATION_PASSWORD: __, ...others } = environment;
    const up = await migrate({ ...others, MYSQL_MIGRATION_SECRET_FILE: file }, "up");
    expect(up, up.stderr).to.include({ exit: 0 });
    // The service's own user may not drop what the third one made.
    expect((await migrate(others, "down", "3")).exit).to.equal(6);
  });

  it("adopt tables made by hand", async () => {
    await createHandmadeTables(admin);
    await fillHandmadeTables(admin, FEW);
    const config = loadMysqlConfig(environment);
    expect(await runMigrations(config)).to.have.length(6);
    expect(await checkSchema(config)).to.deep.equal({ tables: [] });
  });

  it("cannot change the schema where they are a service's", async () => {
    await runMigrations(loadMysqlConfig(environment));
    const service = await connect(server, "service", PASSWORDS.service);
    try {
      for (const statement of [
        "ALTER TABLE meeting_status ADD extra int",
        "DROP TABLE container_status",
        "TRUNCATE TABLE container_status",
        "CREATE TABLE extra (id int)",
        "CREATE INDEX extra ON meeting_status (enabled)",
        "CREATE TRIGGER extra BEFORE INSERT ON meeting_status FOR EACH ROW SET NEW.enabled = 1",
        "DROP TRIGGER trg_meeting_status_before_delete",
      ])
        expect(await failureOf(service.query(statement)), statement).to.include({ errno: 1142 });
    } finally {
      await service.end();
    }
  });

  it("need each of the rights that the migrator has", async () => {
    const [, rights = ""] = /^GRANT (.*) ON doordarshan/.exec(grants[1]?.trim() ?? "") ?? [];
    const all = rights.split(", ");
    expect(all).to.have.length(9);
    const spare: string[] = [];
    for (const right of all) if (!(await failsWithout(right, all))) spare.push(right);
    expect(spare).to.deep.equal(server.version.includes("MariaDB") ? ["REFERENCES"] : []);
  });

  it("see who holds a table with PROCESS besides", async () => {
    const config = loadMysqlConfig(environment);
    await runMigrations(config);
    await revertMigrations(config, 5);
    const service = await connect(server, "service", PASSWORDS.service);
    const blocked = () => failureOf(runMigrations(config, { blockedTimeoutMs: 1 }));
    try {
      await service.beginTransaction();
      await service.query("SELECT * FROM router_meeting");
      expect((await blocked()).message).to.include("(with the privilege PROCESS the migrating user sees by whom)");
      await admin.query("GRANT PROCESS ON *.* TO 'migrator'@'%'");
      expect((await blocked()).message).to.match(new RegExp(`by connection ${service.threadId} \\(service@`));
    } finally {
      await admin.query("REVOKE PROCESS ON *.* FROM 'migrator'@'%'");
      await service.end();
    }
  });

  it("keep the triggers going: locked, they do; dropped, nobody writes; created again, all is well", async () => {
    await runMigrations(loadMysqlConfig(environment));
    const service = await connect(server, "service", PASSWORDS.service);
    const write = (id: string) => service.query("INSERT INTO container_heartbeat (container_id) VALUES (?)", [id]);
    try {
      await admin.query("ALTER USER 'migrator'@'%' ACCOUNT LOCK");
      await write("a");
      await admin.query("DROP USER 'migrator'@'%'");
      expect(await failureOf(write("b"))).to.include({ errno: 1449 });
      for (const statement of grants.slice(0, 2)) await admin.query(statement);
      await write("c");
      await admin.query("REVOKE INSERT ON doordarshan.* FROM 'migrator'@'%'");
      expect(await failureOf(write("d"))).to.include({ errno: 1142 });
    } finally {
      await admin.query("DROP USER 'migrator'@'%'");
      for (const statement of grants.slice(0, 2)) await admin.query(statement);
      await service.end();
    }
  });

  async function failsWithout(right: string, all: readonly string[]): Promise<boolean> {
    await recreateDatabase(admin);
    await admin.query("CREATE USER 'lacking'@'%' IDENTIFIED BY 'x'");
    try {
      await admin.query(`GRANT ${all.filter((each) => each !== right).join(", ")} ON doordarshan.* TO 'lacking'@'%'`);
      const credentials = { MYSQL_MIGRATION_USERNAME: "lacking", MYSQL_MIGRATION_PASSWORD: "x" };
      const config = loadMysqlConfig({ ...environment, ...credentials });
      await runMigrations(config);
      await revertMigrations(config, 6);
      return false;
    } catch (error) {
      const cause = error instanceof MigrationFailedError ? error.cause : error;
      // 1143: not one column of the table.
      expect(cause).to.be.instanceOf(QueryError);
      expect((cause as QueryError).errno, right).to.be.oneOf([1142, 1143]);
      return true;
    } finally {
      await admin.query("DROP USER 'lacking'@'%'");
    }
  }
});

describe("the same users where the server writes a binary log and trusts nobody", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let admin: Connection;
  let environment: Record<string, string>;

  before(async () => {
    const args = ["--log-bin=bin", "--server-id=1", "--log-bin-trust-function-creators=OFF"];
    server = await startMysqlServer({ args });
    ({ admin, environment } = await prepare(server));
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  it("go on without triggers, which check reports until the server lets them, and up creates them then", async () => {
    const up = await migrate(environment, "up", "--json");
    expect(up.exit, up.stderr).to.equal(0);
    expect(JSON.parse(up.stdout).applied).to.have.length(6);
    expect(JSON.parse(up.stdout).warnings.join()).to.include("1419");
    const check = await migrate(environment, "check", "--json");
    expect(check.exit).to.equal(1);
    const { drift } = JSON.parse(check.stdout) as { drift: { lines: string[] }[] };
    const lines = drift.flatMap((table) => table.lines);
    expect(lines).to.not.deep.equal([]);
    for (const line of lines) expect(line).to.match(/^- CREATE TRIGGER trg_/);

    const again: MigrationEvent[] = [];
    const config = loadMysqlConfig(environment);
    expect(await runMigrations(config, { onProgress: (event) => again.push(event) })).to.deep.equal([]);
    expect(again.filter(({ kind }) => kind === "refused")).to.have.length(1);

    for (const statement of trust) await admin.query(statement);
    expect((await migrate(environment, "up")).exit).to.equal(0);
    expect(await migrate(environment, "check")).to.include({ exit: 0 });
  });
});
