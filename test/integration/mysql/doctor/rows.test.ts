import { expect } from "chai";
import type { Connection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../../src/config/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { CANARY, connectAdmin, diagnose } from "./diagnosis.js";

const NOW_NS = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) * 1000";
const TABLES = [
  "placement_reservation",
  "participant_consumers",
  "participant_producers",
  "participant_consumer_transport",
  "participant_producer_transport",
  "participant_consumer_router",
  "participant_producer_router",
  "participant_meeting",
  "router_meeting",
  "router_worker",
  "meeting_status",
  "worker_container",
  "container_heartbeat",
  "worker_load",
  "container_load",
];

describe("the doctor on rows", function () {
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
  beforeEach(async () => {
    for (const table of TABLES) await admin.query(`DELETE FROM ${table}`);
    await admin.query(`INSERT INTO container_heartbeat VALUES ('node', '10.0.0.1', 'acme', ${NOW_NS})`);
    await admin.query("INSERT INTO worker_container VALUES ('node', 'w1'), ('node', 'w2')");
    await admin.query("INSERT INTO meeting_status VALUES ('standup', 1)");
    await admin.query("INSERT INTO router_worker (worker_id, router_id) VALUES ('w1', 'r1'), ('w2', 'r2')");
    await admin.query(
      "INSERT INTO router_meeting (router_id, meeting_id, producer_capacity) VALUES ('r1', 'standup', 10)",
    );
    await admin.query(
      "INSERT INTO router_meeting (router_id, meeting_id, consumer_capacity) VALUES ('r2', 'standup', 20)",
    );
    await admin.query("INSERT INTO participant_meeting VALUES ('standup', 'asha', 'laptop')");
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  /** As a cascade on MySQL 9.7 leaves them. */
  async function withoutKeys(...statements: string[]): Promise<void> {
    await admin.query("SET foreign_key_checks = 0");
    for (const statement of statements) await admin.query(statement);
    await admin.query("SET foreign_key_checks = 1");
  }
  const count = async (table: string) => {
    const [[row]] = (await admin.query(`SELECT COUNT(*) AS n FROM ${table}`)) as unknown as [[{ n: number }]];
    return Number(row.n);
  };

  it("finds nothing wrong with a meeting that is well, and --fix then changes nothing", async () => {
    const diagnosis = await diagnose(environment, { fix: true });
    expect([...diagnosis.ids("failed"), ...diagnosis.ids("warning")]).to.deep.equal([]);
    expect(diagnosis.reports.filter(({ fixed }) => fixed !== undefined)).to.deep.equal([]);
    expect(diagnosis.one("mysql.loads").saw).to.equal("right for the 2 worker(s) and 1 media node(s) looked at");
    expect(await count("participant_meeting")).to.equal(1);
  });

  it("counts orphans, leaves them alone, and removes them with --fix", async () => {
    await withoutKeys(
      "INSERT INTO participant_producer_transport VALUES ('gone-1', 't1'), ('gone-2', 't2')",
      "INSERT INTO participant_meeting VALUES ('ended', 'left-behind', 'phone')",
    );
    const seen = (await diagnose(environment)).one("mysql.orphans");
    expect(seen).to.include({
      verdict: "warning",
      saw:
        "participant_producer_transport has 2 row(s) whose participant_id is not in participant_meeting; " +
        "participant_meeting has 1 row(s) whose meeting_id is not in meeting_status",
    });
    expect(seen.advice).to.include("--fix");
    expect(await count("participant_producer_transport"), "read-only without --fix").to.equal(2);

    const mended = (await diagnose(environment, { fix: true })).one("mysql.orphans");
    expect(mended).to.deep.include({
      verdict: "ok",
      fixed: "removed 2 of participant_producer_transport, 1 of participant_meeting",
    });
    expect(await count("participant_producer_transport")).to.equal(0);
    expect(await count("participant_meeting")).to.equal(1);
  });

  it("of rows that only the operator can judge, it says the statement", async () => {
    await withoutKeys("INSERT INTO participant_consumer_router VALUES ('asha', 'no-router')");
    const { saw, advice = "", fixed } = (await diagnose(environment, { fix: true })).one("mysql.orphans");
    expect(saw).to.equal("participant_consumer_router has 1 row(s) whose router_id is not in router_worker");
    expect(fixed).to.equal(undefined);
    const [statement = ""] = /DELETE .*(?= removes)/.exec(advice) ?? [];
    await admin.query(statement);
    expect((await diagnose(environment)).one("mysql.orphans").verdict).to.equal("ok");
  });

  it("media nodes that are dead, or from the future", async () => {
    await admin.query(`UPDATE container_heartbeat SET heartbeat = ${NOW_NS} - 60000000000`);
    await admin.query(
      `INSERT INTO container_heartbeat VALUES ('ahead', '10.0.0.2', 'acme', ${NOW_NS} + 3600000000000)`,
    );
    await admin.query("INSERT INTO container_heartbeat VALUES ('silent', '10.0.0.3', 'acme', NULL)");
    const { verdict, saw, advice } = (await diagnose(environment)).one("mysql.fleet");
    expect(verdict).to.equal("warning");
    expect(saw)
      .to.match(/"node" \(heard of 6\d s ago, still holds meetings\)/)
      .and.match(/"ahead" \(heard of 3\d\d\d s in the future\)/)
      .and.include('"silent" (never heard of)');
    expect(advice).to.include("meetings.replace");
  });

  it("reservations that have expired for long, whose room --fix gives back", async () => {
    await admin.query(
      `INSERT INTO placement_reservation VALUES ('recent', 'w1', 'node', 'producer', 5, UTC_TIMESTAMP(3) - INTERVAL 2 SECOND)`,
    );
    await admin.query("UPDATE worker_load SET used = used + 5 WHERE worker_id = 'w1'");
    expect(
      (await diagnose(environment)).one("mysql.reservations").verdict,
      "cleared away by the next allocation",
    ).to.equal("ok");
    await admin.query(
      `INSERT INTO placement_reservation VALUES ('old', 'w2', 'node', 'producer', 7, UTC_TIMESTAMP(3) - INTERVAL 1 HOUR)`,
    );
    await admin.query("UPDATE worker_load SET used = used + 7 WHERE worker_id = 'w2'");
    const seen = (await diagnose(environment)).one("mysql.reservations");
    expect(seen.verdict).to.equal("warning");
    expect(seen.saw).to.match(/^2 expired, the oldest 360\d s ago/);
    const mended = await diagnose(environment, { fix: true });
    expect(mended.one("mysql.reservations")).to.include({
      verdict: "ok",
      saw: "none",
      fixed: "gave the room of 2 expired reservation(s) back",
    });
    expect(mended.one("mysql.loads").verdict).to.equal("ok");
  });

  it("loads that are wrong, which --fix counts anew", async () => {
    await admin.query("UPDATE worker_load SET used = 499 WHERE worker_id = 'w1'");
    await admin.query("UPDATE container_load SET tenant = 'other'");
    const seen = (await diagnose(environment)).one("mysql.loads");
    expect(seen).to.include({
      verdict: "warning",
      saw: "wrong for 1 worker(s) and 1 media node(s) of the 2 worker(s) and 1 media node(s) looked at",
    });
    const mended = (await diagnose(environment, { fix: true })).one("mysql.loads");
    expect(mended).to.include({ verdict: "ok", fixed: "counted all loads anew" });
    const [rows] = await admin.query("SELECT worker_id AS id, used FROM worker_load ORDER BY worker_id");
    expect(rows).to.deep.equal([
      { id: "w1", used: 10 },
      { id: "w2", used: 20 },
    ]);
  });

  it("says so when it cannot mend", async () => {
    await withoutKeys("INSERT INTO participant_producer_transport VALUES ('gone', 't')");
    await admin.query(`CREATE USER 'reader'@'%' IDENTIFIED BY '${CANARY}'`);
    await admin.query("GRANT SELECT ON doordarshan.* TO 'reader'@'%'");
    const report = (
      await diagnose({ ...environment, MYSQL_USERNAME: "reader", MYSQL_PASSWORD: CANARY }, { fix: true })
    ).one("mysql.orphans");
    expect(report.verdict).to.equal("warning");
    expect(report.advice).to.match(/^It could not be mended: DELETE command denied to user 'reader'/);
    expect(report).not.to.have.property("fixed");
  });
});
