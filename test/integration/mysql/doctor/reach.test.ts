import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Connection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../../src/config/index.js";
import { DeadlineExceededError } from "../../../../src/errors.js";
import { MysqlPatient } from "../../../../src/mysql/doctor/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { startBlackHole } from "../../../support/blackHole.js";
import { createCertificates, type TestCertificates } from "../../../support/certificates.js";
import { CANARY, connectAdmin, diagnose } from "./diagnosis.js";

/** A machine without a name server may take long to say so. */
const PATIENT = { timeoutMs: 30_000 };

describe("the doctor on the way to MySQL", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let admin: Connection;
  let environment: Record<string, string>;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "doordarshan-doctor-"));
    server = await startMysqlServer();
    ({ environment } = server);
    await runMigrations(loadMysqlConfig(environment));
    admin = await connectAdmin(server);
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("finds nothing wrong with a server that is well", async () => {
    const { reports } = await diagnose(environment);
    const wrong = reports.filter(({ verdict }) => verdict === "warning" || verdict === "failed");
    expect(wrong).to.deep.equal([]);
    const skipped = reports.filter(({ verdict }) => verdict === "skipped").map(({ id }) => id);
    const migrator = ["mysql.login.migrator", "mysql.grants.migrator"];
    expect(skipped).to.deep.equal(["mysql.tls", "mysql.tls.host", "mysql.tls.expiry", ...migrator]);
  });

  it("names every variable that is wrong, and looks no further", async () => {
    const bad = await diagnose({ MYSQL_PORT: "x", MYSQL_PASSWORD: CANARY, MYSQL_MIGRATION_PASSWORD: CANARY });
    const told = bad.of("mysql.configuration");
    expect(told.map(({ saw }) => saw.split(" ")[0])).to.have.members([
      "MYSQL_PORT",
      "MYSQL_ENDPOINT",
      "MYSQL_DB_NAME",
      "MYSQL_USERNAME",
      "MYSQL_MIGRATION_PASSWORD",
    ]);
    expect(bad.ids("failed")).to.deep.equal(["mysql.configuration"]);
    expect(bad.ids("ok")).to.deep.equal([]);
    expect(bad.one("mysql.credentials")).to.include({ verdict: "skipped", saw: "needs mysql.configuration" });
  });

  it("shows nothing of a connection string", async () => {
    const { MYSQL_PORT: port } = environment;
    const wrong = await diagnose({
      MYSQL_CONNECTION_STRING: `doordarshan:${CANARY}@tcp(127.0.0.1:${port})/doordarshan`,
    });
    expect(wrong.ids("failed")).to.deep.equal(["mysql.login"]);
    expect(wrong.one("mysql.credentials").saw).to.include("from MYSQL_CONNECTION_STRING");
    const broken = await diagnose({ MYSQL_CONNECTION_STRING: `doordarshan:${CANARY}@@tcp(127.0.0.1:${CANARY}` });
    expect(broken.ids("failed")).to.deep.equal(["mysql.configuration"]);
    expect(broken.one("mysql.configuration").saw).to.match(/^MYSQL_CONNECTION_STRING /);
  });

  it("warns of a variable that is nearly one of ours", async () => {
    const { of } = bound(await diagnose({ ...environment, MYSQL_PASWORD: CANARY }));
    expect(of("mysql.configuration").map(({ verdict, saw }) => ({ verdict, saw }))).to.deep.equal([
      { verdict: "warning", saw: "MYSQL_PASWORD is not a variable of this package; did you mean MYSQL_PASSWORD?" },
    ]);
  });

  it("says where the credentials come from, and what is wrong with their file", async () => {
    const path = join(folder, "secret");
    const { MYSQL_PASSWORD: password, ...rest } = environment;
    await writeFile(path, `doordarshan:${password}`, { mode: 0o604 });
    const good = await diagnose({ ...rest, MYSQL_SECRET_FILE: path });
    const [source, exposed] = good.of("mysql.credentials");
    expect(source?.saw).to.equal('user "doordarshan" with a password, from the file that MYSQL_SECRET_FILE names');
    expect(exposed).to.include({ verdict: "warning", advice: "Run chmod o-r on it" });
    expect(good.one("mysql.login").verdict).to.equal("ok");
    await writeFile(path, `{${CANARY}`);
    const bad = await diagnose({ ...rest, MYSQL_SECRET_FILE: path });
    expect(bad.one("mysql.credentials")).to.include({ verdict: "failed" });
    expect(bad.one("mysql.login")).to.include({ verdict: "skipped", saw: "needs mysql.credentials" });
    expect(bad.one("mysql.tcp").verdict).to.equal("ok");
  });

  it("a host name that cannot be resolved", async () => {
    const lost = await diagnose({ ...environment, MYSQL_ENDPOINT: "db.doctor.invalid" }, PATIENT);
    expect(lost.ids("failed")).to.deep.equal(["mysql.name"]);
    expect(lost.one("mysql.name").saw).to.include("db.doctor.invalid");
    expect(lost.one("mysql.name").advice).to.include("MYSQL_ENDPOINT");
  });

  it("a port at which nothing listens", async () => {
    const dead = await diagnose({ ...environment, MYSQL_PORT: "1" });
    expect(dead.ids("failed")).to.deep.equal(["mysql.tcp"]);
    expect(dead.one("mysql.tcp").saw).to.include("127.0.0.1:1 ").and.include("ECONNREFUSED");
    expect(dead.one("mysql.tcp").advice).to.include("start the server");
  });

  it("a firewall that drops what would connect", async () => {
    const hole = await startBlackHole();
    try {
      const dropped = await diagnose({ ...environment, MYSQL_PORT: `${hole.port}` }, { timeoutMs: 500 });
      expect(dropped.ids("failed")).to.deep.equal(["mysql.tcp"]);
      expect(dropped.one("mysql.tcp").saw).to.equal(`127.0.0.1:${hole.port} cannot be connected to (no answer)`);
      expect(dropped.one("mysql.tcp").advice).to.include("firewall");
    } finally {
      hole.stop();
    }
  });

  it("a file of the migrating user's that is missing keeps nothing from being looked at", async () => {
    const found = await diagnose({ ...environment, MYSQL_MIGRATION_SECRET_FILE: join(folder, "none") });
    expect(found.ids("failed")).to.deep.equal([]);
    expect(found.ids("warning")).to.deep.equal(["mysql.credentials", "mysql.login.migrator"]);
    expect(found.one("mysql.schema").verdict).to.equal("ok");
  });

  it("a wrong password", async () => {
    const stranger = await diagnose({ ...environment, MYSQL_PASSWORD: CANARY });
    expect(stranger.ids("failed")).to.deep.equal(["mysql.login"]);
    expect(stranger.one("mysql.login").saw).to.include("Access denied for user 'doordarshan'");
    expect(stranger.one("mysql.login").advice).to.include("username and password");
  });

  it("a server that accepts connections and says nothing, within each check's time", async () => {
    await server.pause();
    try {
      const began = performance.now();
      const frozen = await diagnose(environment, { timeoutMs: 1_000 });
      expect(performance.now() - began).to.be.below(8_000);
      expect(frozen.one("mysql.tcp").verdict).to.equal("ok");
      expect(frozen.ids("failed")).to.deep.equal(["mysql.login"]);
      expect(frozen.one("mysql.login").advice).to.include("reachable");
    } finally {
      await server.resume();
    }
  });

  it("is asked no more once it left two questions without an answer", async () => {
    const patient = new MysqlPatient({ environment, timeoutMs: 500 });
    const { signal } = new AbortController();
    const failure = () =>
      patient.ask(signal, "SELECT 1", [], "login").then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(await failure()).to.equal(undefined);
    await server.pause();
    try {
      for (const _ of [1, 2]) expect(await failure()).to.be.instanceOf(Error);
      expect(await failure())
        .to.be.instanceOf(DeadlineExceededError)
        .with.property("message")
        .that.includes("not asked again");
    } finally {
      await server.resume();
      await patient.close();
    }
  });

  it("a database that does not exist, naming one that may be meant", async () => {
    const missing = await diagnose({ ...environment, MYSQL_DB_NAME: "doordarshann" });
    expect(missing.ids("failed")).to.deep.equal(["mysql.database"]);
    expect(missing.one("mysql.database").saw).to.equal("there is no database doordarshann; there is doordarshan");
    expect(missing.one("mysql.database").advice).to.include("CREATE DATABASE `doordarshann`").and.include("migrate up");
    expect(missing.one("mysql.version").verdict, "the server is looked at all the same").to.equal("ok");
  });

  it("a database that the user has no right on, with the GRANT that helps", async () => {
    await admin.query(`CREATE USER 'o''brien'@'%' IDENTIFIED BY '${CANARY}'`);
    const stranger = { ...environment, MYSQL_USERNAME: "o'brien", MYSQL_PASSWORD: CANARY };
    const before = await diagnose(stranger);
    expect(before.ids("failed")).to.deep.equal(["mysql.database"]);
    const { advice = "" } = before.one("mysql.database");
    const grant = advice.slice(advice.indexOf("GRANT"));
    expect(grant).to.match(/^GRANT SELECT, INSERT, UPDATE, DELETE ON `doordarshan`\.\* TO 'o\\'brien'@'%'$/);
    await admin.query(grant);
    expect((await diagnose(stranger)).ids("failed")).to.deep.equal([]);
  });

  it("a user for migrations who cannot log in is worth a warning", async () => {
    const credentials = { MYSQL_MIGRATION_USERNAME: "migrator", MYSQL_MIGRATION_PASSWORD: CANARY };
    const report = (await diagnose({ ...environment, ...credentials })).one("mysql.login.migrator");
    expect(report).to.include({ verdict: "warning" });
    expect(report.saw).to.include("Access denied for user 'migrator'");
  });
});

/** So that methods can be taken out of it. */
function bound<T extends { of(id: string): unknown }>(diagnosis: T): { of: T["of"] } {
  return { of: diagnosis.of.bind(diagnosis) as T["of"] };
}

describe("the doctor on MySQL's TLS", function () {
  this.timeout(120_000);
  const CHAIN = ["mysql.tls", "mysql.tls.host", "mysql.tls.expiry"];
  let certificates: TestCertificates;

  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates?.remove());

  const behind = async (
    which: "valid" | "expired" | "foreignHost" | "foreignAuthority",
    more: Record<string, string> = {},
  ) => {
    const server = await startMysqlServer({ tls: certificates[which] });
    try {
      const tls = { MYSQL_TLS: "true", MYSQL_TLS_CA_FILE: certificates.valid.caFile };
      const diagnosis = await diagnose({ ...server.environment, ...tls, ...more });
      return {
        verdicts: CHAIN.map((id) => diagnosis.one(id).verdict),
        login: diagnosis.one("mysql.login").verdict,
        diagnosis,
      };
    } finally {
      await server.stop();
    }
  };

  it("a certificate that is right and ends in five days", async () => {
    const { verdicts, login, diagnosis } = await behind("valid");
    expect({ verdicts, login }).to.deep.equal({ verdicts: ["ok", "ok", "warning"], login: "ok" });
    expect(diagnosis.one("mysql.tls.expiry").saw).to.match(/valid until \d{4}-.*, 4 days from now$/);
  });

  it("an expired one", async () => {
    const { verdicts, login, diagnosis } = await behind("expired");
    expect({ verdicts, login }).to.deep.equal({ verdicts: ["ok", "ok", "failed"], login: "failed" });
    expect(diagnosis.one("mysql.tls.expiry").advice).to.include("Renew");
  });

  it("one for another host", async () => {
    const { verdicts, login, diagnosis } = await behind("foreignHost");
    expect({ verdicts, login }).to.deep.equal({ verdicts: ["ok", "failed", "warning"], login: "failed" });
    expect(diagnosis.one("mysql.tls.host").saw).to.include("127.0.0.1").and.include("elsewhere.example");
  });

  it("one of an unknown authority, with and without verification", async () => {
    const { verdicts, login, diagnosis } = await behind("foreignAuthority");
    expect({ verdicts, login }).to.deep.equal({ verdicts: ["failed", "skipped", "skipped"], login: "failed" });
    expect(diagnosis.one("mysql.tls").advice).to.include("MYSQL_TLS_CA_FILE");
    const unverified = await behind("foreignAuthority", { MYSQL_TLS_SKIP_VERIFY: "true" });
    expect(unverified.verdicts[0]).to.equal("warning");
    expect(unverified.login).to.equal("ok");
  });

  it("a file of an authority that cannot be read, and a server without TLS", async () => {
    const { diagnosis } = await behind("valid", { MYSQL_TLS_CA_FILE: "/nowhere/ca.pem" });
    expect(diagnosis.one("mysql.tls")).to.include({ verdict: "failed", advice: "Correct MYSQL_TLS_CA_FILE" });
    // The one engine has no TLS then, the other a certificate that it made itself.
    const server = await startMysqlServer();
    try {
      const without = await diagnose({ ...server.environment, MYSQL_TLS: "true" });
      expect(without.one("mysql.tls")).to.include({ verdict: "failed" });
      expect(without.one("mysql.tls").saw).to.match(/offers no TLS|does not lead to a known authority/);
    } finally {
      await server.stop();
    }
  });
});
