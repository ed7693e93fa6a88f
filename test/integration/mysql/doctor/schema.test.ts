import { expect } from "chai";
import type { Connection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../../src/config/index.js";
import { revertMigrations, runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { CANARY, connectAdmin, diagnose } from "./diagnosis.js";

describe("the doctor on rights and schema", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let admin: Connection;
  let environment: Record<string, string>;
  /** As docs/migrations.md has them: a user who migrates, and one who only runs. */
  let service: Record<string, string>;

  before(async () => {
    server = await startMysqlServer();
    ({ environment } = server);
    await runMigrations(loadMysqlConfig(environment));
    admin = await connectAdmin(server);
    await admin.query(`CREATE USER 'service'@'%' IDENTIFIED BY '${CANARY}'`);
    await admin.query("GRANT SELECT, INSERT, UPDATE, DELETE ON doordarshan.* TO 'service'@'%'");
    service = { ...environment, MYSQL_USERNAME: "service", MYSQL_PASSWORD: CANARY };
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  const migrating = () => ({
    ...service,
    MYSQL_MIGRATION_USERNAME: environment.MYSQL_USERNAME as string,
    MYSQL_MIGRATION_PASSWORD: environment.MYSQL_PASSWORD as string,
  });

  it("is content with the rights that the operator's page grants", async () => {
    const alone = await diagnose(service);
    expect([...alone.ids("failed"), ...alone.ids("warning")]).to.deep.equal([]);
    expect(alone.one("mysql.triggers").saw).to.equal("all 15 triggers are there");
    expect(alone.one("mysql.drift").saw).to.include("what the triggers do was not compared");
    const both = await diagnose(migrating());
    expect([...both.ids("failed"), ...both.ids("warning")]).to.deep.equal([]);
    expect(both.one("mysql.login.migrator").verdict).to.equal("ok");
    expect(both.one("mysql.drift").saw).to.equal("the schema is as this version expects it");
  });

  it("names each right that was revoked, with the GRANT that gives it back", async () => {
    for (const right of ["INSERT", "UPDATE", "DELETE"]) {
      await admin.query(`REVOKE ${right} ON doordarshan.* FROM 'service'@'%'`);
      const { verdict, saw, advice = "" } = (await diagnose(service)).one("mysql.grants");
      expect({ verdict, saw }).to.deep.equal({ verdict: "failed", saw: `service@% lacks ${right} in doordarshan` });
      expect(advice).to.equal(`GRANT ${right} ON \`doordarshan\`.* TO 'service'@'%'`);
      await admin.query(advice);
      expect((await diagnose(service)).one("mysql.grants").verdict).to.equal("ok");
    }
  });

  it("names rights on single tables", async () => {
    await admin.query(`CREATE USER 'tables'@'%' IDENTIFIED BY '${CANARY}'`);
    const [tables] = (await admin.query(
      "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'doordarshan'",
    )) as unknown as [{ name: string }[]];
    for (const { name } of tables) {
      const rights =
        name === "router_worker"
          ? "SELECT, DELETE"
          : name === "migrations"
            ? "INSERT"
            : "SELECT, INSERT, UPDATE, DELETE";
      await admin.query(`GRANT ${rights} ON doordarshan.${name} TO 'tables'@'%'`);
    }
    const limited = { ...service, MYSQL_USERNAME: "tables" };
    const { saw, advice = "" } = (await diagnose(limited)).one("mysql.grants");
    expect(saw).to.equal("tables@% lacks INSERT, UPDATE on router_worker; SELECT on migrations");
    for (const grant of advice.split("; ")) await admin.query(grant);
    const mended = await diagnose(limited);
    expect(mended.ids("failed")).to.deep.equal([]);
  });

  it("rights that come by a role count", async () => {
    await admin.query("CREATE ROLE runner");
    await admin.query("GRANT SELECT, INSERT, UPDATE, DELETE ON doordarshan.* TO runner");
    await admin.query(`CREATE USER 'actor'@'%' IDENTIFIED BY '${CANARY}'`);
    await admin.query("GRANT runner TO 'actor'@'%'");
    const isMariadb = server.version.includes("MariaDB");
    await admin.query(isMariadb ? "SET DEFAULT ROLE runner FOR 'actor'@'%'" : "SET DEFAULT ROLE runner TO 'actor'@'%'");
    expect((await diagnose({ ...service, MYSQL_USERNAME: "actor" })).one("mysql.grants").verdict).to.equal("ok");
  });

  it("pending, edited and newer migrations", async () => {
    const config = loadMysqlConfig(environment);
    await revertMigrations(config);
    const behind = await diagnose(service);
    expect(behind.ids("failed")).to.deep.equal(["mysql.schema"]);
    expect(behind.one("mysql.schema").saw).to.match(/^not applied: CountLoads\d+ \(pending\)$/);
    expect(behind.one("mysql.schema").advice).to.include("migrate up");
    expect(behind.one("mysql.drift")).to.include({ verdict: "skipped", saw: "needs mysql.schema" });
    await runMigrations(config);
    await admin.query("INSERT INTO migrations (timestamp, name) VALUES (9999999999999, 'AddThings9999999999999')");
    const ahead = await diagnose(service);
    expect(ahead.one("mysql.schema")).to.include({ verdict: "failed" });
    expect(ahead.one("mysql.schema").saw).to.include("AddThings9999999999999 is newer than this version");
    await admin.query("DELETE FROM migrations WHERE timestamp = 9999999999999");
  });

  it("an empty database needs its migrations and nothing else", async () => {
    await admin.query("CREATE DATABASE doordarshan_empty CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    const empty = await diagnose({ ...environment, MYSQL_DB_NAME: "doordarshan_empty" });
    expect([...empty.ids("failed"), ...empty.ids("warning")]).to.deep.equal(["mysql.schema"]);
    await admin.query("DROP DATABASE doordarshan_empty");
  });

  it("a trigger and an index that were dropped, and a column that was added", async () => {
    await admin.query("DROP TRIGGER trg_router_meeting_after_insert");
    await admin.query("ALTER TABLE router_worker ADD extra int NULL");
    await admin.query("ALTER TABLE participant_meeting DROP FOREIGN KEY fk_participant_meeting_meeting");
    await admin.query("ALTER TABLE participant_meeting DROP INDEX idx_participant_meeting_meeting");
    const diagnosis = await diagnose(migrating());
    expect(diagnosis.one("mysql.triggers").saw).to.include("missing: trg_router_meeting_after_insert;");
    expect(diagnosis.one("mysql.triggers").advice).to.match(/^doordarshan-data migrate up/);
    const drift = diagnosis.one("mysql.drift");
    expect(drift.verdict).to.equal("warning");
    expect(drift.saw)
      .to.include("router_worker + extra int")
      .and.include("participant_meeting - KEY idx_participant_meeting_meeting")
      .and.include("router_meeting - CREATE TRIGGER trg_router_meeting_after_insert");
    // To the user who runs only, a trigger that may not be seen looks as one that is not there.
    expect((await diagnose(service)).one("mysql.drift").saw).not.to.include("TRIGGER");
    expect((await diagnose(service)).one("mysql.triggers").verdict).to.equal("failed");
  });

  it("a database and an id column of another collation", async () => {
    await admin.query("ALTER DATABASE doordarshan CHARACTER SET latin1");
    await admin.query(
      "ALTER TABLE container_status MODIFY container_id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL",
    );
    const told = (await diagnose(service)).of("mysql.collation");
    expect(told.map(({ verdict }) => verdict)).to.deep.equal(["failed", "warning"]);
    expect(told[0]?.saw).to.include("container_status.container_id is utf8mb4_unicode_ci");
    expect(told[1]?.advice).to.equal("ALTER DATABASE `doordarshan` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    await admin.query(told[1]?.advice as string);
    expect((await diagnose(service)).of("mysql.collation")).to.have.length(1);
  });
});
