import { expect } from "chai";
import { type Connection, createConnection } from "mysql2/promise";
import { loadMysqlConfig } from "../../../src/config/index.js";
import { runMigrations } from "../../../src/mysql/migrator/migrator.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { installPackage, startCommand } from "./servicePackage.js";

const CANARY = "canary-Zq8";
interface Report {
  readonly verdict: string;
  readonly checks: readonly Readonly<Record<string, string>>[];
}

describe("doordarshan-data doctor", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Record<string, string>;
  let admin: Connection;

  before(async () => {
    await installPackage();
    server = await startMysqlServer();
    ({ environment } = server);
    await runMigrations(loadMysqlConfig(environment));
    const { username: user, password } = server.admin;
    admin = await createConnection({ host: server.host, port: server.port, user, password, database: "doordarshan" });
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  const run = async (env: Record<string, string>, ...args: string[]) => {
    const outcome = await (await startCommand(env, ["doctor", ...args])).outcome;
    for (const output of [outcome.stdout, outcome.stderr])
      expect(output)
        .not.to.include(CANARY)
        .and.not.include(environment.MYSQL_PASSWORD as string);
    return outcome;
  };
  const parse = (text: string) => JSON.parse(text) as Report;

  it("0: all is well, for people", async () => {
    const { exit, stdout, stderr } = await run(environment, "--only", "mysql");
    expect({ exit, stderr }).to.deep.equal({ exit: 0, stderr: "" });
    expect(stdout)
      .to.match(/^MySQL\n {2}✓ the MYSQL_\* variables \(mysql\.configuration\): /)
      .and.match(/\n\n0 failed, 0 to be looked at, \d+ well, \d+ skipped\.\n$/);
    expect(stdout).not.to.include("\u001b");
  });

  it("0: the same for machines, with progress on standard error", async () => {
    const { exit, stdout, stderr } = await run(environment, "--only", "mysql", "--json");
    expect(exit).to.equal(0);
    const { verdict, checks } = parse(stdout);
    expect(verdict).to.equal("ok");
    for (const check of checks) {
      expect(check).to.include.keys("id", "title", "store", "verdict", "saw");
      expect(check.store).to.equal("mysql");
    }
    const begun = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; id: string });
    expect(begun[0]).to.deep.include({ kind: "check", store: "mysql", id: "mysql.configuration" });
    const looked = checks.filter(({ saw = "" }) => !saw.startsWith("needs ")).map(({ id }) => id);
    expect(begun.map(({ id }) => id)).to.deep.equal([...new Set(looked)]);
  });

  it("1: the worst is a warning", async () => {
    const { exit, stdout } = await run({ ...environment, MYSQL_OPEN_CONNECTIONS: "1000" }, "--only", "mysql");
    expect(exit).to.equal(1);
    expect(stdout).to.match(/\n {2}! .*\(mysql\.connections\): .*\n {6}→ Lower MYSQL_OPEN_CONNECTIONS/);
  });

  it("6: something is wrong, whatever is wrong with the variables or the server", async () => {
    const nowhere = await run({ ...environment, MYSQL_PORT: "1", MYSQL_PASSWORD: CANARY }, "--only", "mysql", "--json");
    expect(nowhere.exit).to.equal(6);
    const { verdict, checks } = parse(nowhere.stdout);
    expect(verdict).to.equal("failed");
    expect(checks.filter((check) => check.verdict === "failed").map(({ id }) => id)).to.deep.equal(["mysql.tcp"]);
    const nothing = await run({ MYSQL_PASSWORD: CANARY }, "--only", "mysql");
    expect(nothing.exit).to.equal(6);
    expect(nothing.stdout).to.include("✗ the MYSQL_* variables (mysql.configuration): MYSQL_ENDPOINT is required");
  });

  it("lets no foreign text drive the terminal, for people or for machines", async () => {
    const username = "x\u202egpj";
    const foreign = { ...environment, MYSQL_USERNAME: username, MYSQL_PORT: "1" };
    const people = await run(foreign, "--only", "mysql");
    const machines = await run(foreign, "--only", "mysql", "--json");
    for (const { stdout, exit } of [people, machines]) {
      expect(exit).to.equal(6);
      expect(stdout)
        .to.include("\\u202e")
        .and.not.match(/(?!\n)[\p{Cc}\p{Cf}]/u);
    }
    const { checks } = parse(machines.stdout);
    expect(checks.find(({ id }) => id === "mysql.credentials")?.saw).to.include(JSON.stringify(username));
  });

  it("mends with --fix, and exits with what is left", async () => {
    await admin.query("SET foreign_key_checks = 0");
    await admin.query("INSERT INTO participant_producer_transport VALUES ('gone', 't')");
    expect((await run(environment, "--only", "mysql")).exit).to.equal(1);
    const { exit, stdout } = await run(environment, "--only", "mysql", "--fix");
    expect(exit).to.equal(0);
    expect(stdout).to.include("\n      mended: removed 1 of participant_producer_transport\n");
    expect((await admin.query("SELECT * FROM participant_producer_transport"))[0]).to.deep.equal([]);
  });

  it("ends within the time that each check has, though the server says nothing", async () => {
    await server.pause();
    try {
      const began = performance.now();
      const { exit, stdout } = await run(environment, "--only", "mysql", "--timeout", "1");
      expect(performance.now() - began).to.be.below(20_000);
      expect(exit).to.equal(6);
      expect(stdout).to.match(/✗ logging in \(mysql\.login\): /);
    } finally {
      await server.resume();
    }
  });

  it("2: wrong usage, and --help explains", async () => {
    for (const args of [["--only", "postgres"], ["--timeout", "0"], ["--timeout", "soon"], ["all"]]) {
      const { exit, stdout, stderr } = await run(environment, ...args);
      expect({ exit, stdout }, args.join(" ")).to.deep.equal({ exit: 2, stdout: "" });
      expect(stderr).to.match(/^error: /);
    }
    const { exit, stdout } = await run(environment, "--help");
    expect(exit).to.equal(0);
    expect(stdout)
      .to.match(/Exit codes:\n {2}0 /)
      .and.match(/Example:\n {2}doordarshan-data doctor/);
  });
});
