import { expect } from "chai";
import type { Connection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../../src/config/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { CANARY, connectAdmin, diagnose } from "./diagnosis.js";

/** As docs/migrations.md grants them. */
const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "REFERENCES", "TRIGGER"];

describe("the doctor on the user who migrates", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let admin: Connection;
  let environment: Record<string, string>;

  before(async () => {
    server = await startMysqlServer();
    admin = await connectAdmin(server);
    for (const user of ["migrator", "successor", "service"])
      await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${CANARY}'`);
    for (const user of ["migrator", "successor"])
      await admin.query(`GRANT ${RIGHTS.join(", ")} ON doordarshan.* TO '${user}'@'%'`);
    await admin.query("GRANT SELECT, INSERT, UPDATE, DELETE ON doordarshan.* TO 'service'@'%'");
    const service = { MYSQL_USERNAME: "service", MYSQL_PASSWORD: CANARY };
    environment = { ...server.environment, ...service, ...as("migrator") };
    await runMigrations(loadMysqlConfig(environment));
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  const isMariaDb = () => /mariadb/i.test(server.version);
  const as = (user: string) => ({ MYSQL_MIGRATION_USERNAME: user, MYSQL_MIGRATION_PASSWORD: CANARY });

  it("is content with the rights that the operator's page grants", async () => {
    const found = await diagnose(environment);
    expect([...found.ids("failed"), ...found.ids("warning")]).to.deep.equal([]);
    expect(found.one("mysql.grants.migrator")).to.include({ verdict: "ok", saw: "migrator@% may migrate doordarshan" });
    expect(found.one("mysql.triggers.definer")).to.include({ verdict: "ok", saw: "migrator@%" });
  });

  it("names each right that was revoked, with the GRANT that gives it back", async () => {
    // MariaDB does without REFERENCES.
    for (const right of RIGHTS.filter((each) => each !== "REFERENCES" || !isMariaDb())) {
      await admin.query(`REVOKE ${right} ON doordarshan.* FROM 'migrator'@'%'`);
      const lacking = await diagnose(environment);
      expect(
        lacking.reports.filter((r) => r.verdict === "failed"),
        right,
      ).to.deep.equal([]);
      const { verdict, saw, advice = "" } = lacking.one("mysql.grants.migrator");
      expect({ verdict, saw }).to.deep.equal({ verdict: "warning", saw: `migrator@% lacks ${right} in doordarshan` });
      await admin.query(advice.slice(advice.indexOf("GRANT")));
      expect((await diagnose(environment)).one("mysql.grants.migrator").verdict).to.equal("ok");
    }
  });

  it("counts what is granted on a pattern, and leaves open what a role may give", async () => {
    await admin.query(`CREATE USER 'patterned'@'%' IDENTIFIED BY '${CANARY}'`);
    await admin.query(`GRANT ${RIGHTS.join(", ")} ON \`door%\`.* TO 'patterned'@'%'`);
    const patterned = (await diagnose({ ...environment, ...as("patterned") })).one("mysql.grants.migrator");
    expect(patterned.verdict).to.equal("ok");
    await admin.query("CREATE ROLE migrating");
    await admin.query(`GRANT ${RIGHTS.join(", ")} ON doordarshan.* TO migrating`);
    await admin.query(`CREATE USER 'player'@'%' IDENTIFIED BY '${CANARY}'`);
    await admin.query("GRANT migrating TO 'player'@'%'");
    await admin.query(`SET DEFAULT ROLE migrating ${isMariaDb() ? "FOR" : "TO"} 'player'@'%'`);
    const player = (await diagnose({ ...environment, ...as("player") })).one("mysql.grants.migrator");
    expect(player).to.include({ verdict: "skipped" });
    expect(player.saw).to.match(/^player@% lacks .*CREATE.* unless the role .*migrating/);
  });

  it("a user who made the triggers and is gone", async () => {
    await admin.query("DROP USER 'migrator'@'%'");
    await admin.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES ('m', 1)");
    const refused = await admin.query("DELETE FROM meeting_status WHERE meeting_id = 'm'").catch((error) => error);
    expect(refused).to.include({ errno: 1449 });
    const blind = await diagnose({ ...environment, ...as("successor") });
    expect(blind.one("mysql.triggers.definer").verdict).to.equal("skipped");
    await admin.query("GRANT SELECT ON mysql.user TO 'successor'@'%'");
    const found = await diagnose({ ...environment, ...as("successor") });
    expect(found.ids("failed")).to.deep.equal(["mysql.triggers.definer"]);
    const { saw, advice = "" } = found.one("mysql.triggers.definer");
    expect(saw).to.match(/^triggers such as trg_\w+ run as migrator@%, a user that does not exist/);
    for (const statement of advice.slice(advice.indexOf("CREATE USER")).split("; ")) await admin.query(statement);
    await admin.query("DELETE FROM meeting_status WHERE meeting_id = 'm'");
    expect((await diagnose({ ...environment, ...as("successor") })).ids("failed")).to.deep.equal([]);
  });
});
