import { expect } from "chai";
import type { Connection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../../src/config/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { connectAdmin, diagnose } from "./diagnosis.js";

describe("the doctor on how MySQL is set", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let admin: Connection;
  let environment: Record<string, string>;

  before(async () => {
    server = await startMysqlServer();
    ({ environment } = server);
    await runMigrations(loadMysqlConfig(environment));
    admin = await connectAdmin(server);
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  /** Runs `use` while a global variable has another value. */
  async function having(name: string, value: string | number, use: () => Promise<void>): Promise<void> {
    const [[old]] = (await admin.query("SHOW GLOBAL VARIABLES LIKE ?", [name])) as unknown as [[{ Value: string }]];
    await admin.query(`SET GLOBAL ${name} = ?`, [value]);
    try {
      await use();
    } finally {
      await admin.query(`SET GLOBAL ${name} = ?`, [/^\d+$/.test(old.Value) ? Number(old.Value) : old.Value]);
    }
  }

  it("a clock that is far off, whoever's it is", () =>
    having("init_connect", "SET timestamp = 1000000000", async () => {
      const { saw, verdict, advice } = (await diagnose(environment)).one("mysql.clock");
      expect(verdict).to.equal("warning");
      const [, seconds] = /clock is (\d+) s behind this machine's \(± \d+ ms\)$/.exec(saw) ?? [];
      expect(Number(seconds)).to.be.closeTo(Date.now() / 1_000 - 1_000_000_000, 60);
      expect(advice).to.include("NTP");
    }));

  it("a time zone that is not UTC", () =>
    having("time_zone", "+05:30", async () => {
      const report = (await diagnose(environment)).one("mysql.timezone");
      expect(report).to.include({ verdict: "warning", saw: "+05:30, 330 minutes from UTC" });
      expect(report.advice).to.include("default-time-zone");
    }));

  it("too few connections for the pool: the server's and the user's", async () => {
    await having("max_connections", 50, async () => {
      const report = (await diagnose(environment)).one("mysql.connections");
      expect(report).to.include({ verdict: "warning" });
      expect(report.saw).to.match(/^max_connections 50, of which \d+ in use; this process may open 101$/);
      expect(report.advice).to.include("SET GLOBAL max_connections = 101");
    });
    await admin.query("ALTER USER 'doordarshan'@'%' WITH MAX_USER_CONNECTIONS 5");
    try {
      const report = (await diagnose(environment)).one("mysql.connections");
      expect(report.verdict).to.equal("warning");
      expect(report.saw).to.include("the user 5 (max_user_connections)");
      expect(
        (await diagnose({ ...environment, MYSQL_OPEN_CONNECTIONS: "4" })).one("mysql.connections").verdict,
      ).to.equal("ok");
    } finally {
      await admin.query("ALTER USER 'doordarshan'@'%' WITH MAX_USER_CONNECTIONS 0");
    }
  });

  it("idle connections that the server closes first", () =>
    having("wait_timeout", 30, async () => {
      const report = (await diagnose(environment)).one("mysql.timeouts");
      expect(report).to.include({ verdict: "warning" });
      expect(report.advice).to.include("MYSQL_IDLE_TIMEOUT_IN_SECS below 30");
      const shorter = await diagnose({ ...environment, MYSQL_IDLE_TIMEOUT_IN_SECS: "20" });
      expect(shorter.one("mysql.timeouts").verdict).to.equal("ok");
    }));

  it("a server that refuses writes", () =>
    having("read_only", "ON", async () => {
      const diagnosis = await diagnose(environment);
      expect(diagnosis.ids("failed")).to.deep.equal(["mysql.writable"]);
      expect(diagnosis.one("mysql.writable").saw).to.equal("the server refuses writes (read_only on)");
      expect(diagnosis.one("mysql.writable").advice).to.include("SET GLOBAL read_only = OFF");
    }));

  it("settings that get in the way", async () => {
    await having("foreign_key_checks", "OFF", async () => {
      expect((await diagnose(environment)).one("mysql.settings")).to.include({
        verdict: "failed",
        saw: "foreign_key_checks is off: keys are not enforced and deletes leave rows",
      });
    });
    await admin.query("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE");
    try {
      const report = (await diagnose(environment)).one("mysql.settings");
      expect(report).to.include({ verdict: "warning", saw: "transactions are SERIALIZABLE unless they say otherwise" });
    } finally {
      await admin.query("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    }
  });
});

describe("the doctor on a server whose binary log holds statements and trusts nobody", function () {
  this.timeout(120_000);
  let server: MysqlServer;

  before(async () => {
    const args = [
      "--log-bin=bin",
      "--server-id=1",
      "--log-bin-trust-function-creators=OFF",
      "--binlog-format=STATEMENT",
    ];
    server = await startMysqlServer({ args });
  });
  after(() => server?.stop());

  it("says that writes and triggers are refused, and how to have them", async () => {
    await runMigrations(loadMysqlConfig(server.environment));
    const diagnosis = await diagnose(server.environment);
    expect(diagnosis.one("mysql.settings")).to.include({ verdict: "failed" });
    expect(diagnosis.one("mysql.settings").saw).to.include("binlog_format is STATEMENT");
    const triggers = diagnosis.one("mysql.triggers");
    expect(triggers).to.include({ verdict: "failed" });
    expect(triggers.saw).to.include("trg_meeting_status_before_delete");
    expect(triggers.advice).to.include("SET GLOBAL log_bin_trust_function_creators = ON").and.include("migrate up");
  });
});
