import { expect } from "chai";
import { loadMysqlConfig } from "../../../src/config/index.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { runMigrations } from "../../../src/mysql/migrator/migrator.js";
import { poolDatabase } from "../../../src/mysql/repositories/database.js";
import { createRepositories, type Repositories } from "../../../src/mysql/repositories/index.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import type { Running } from "./running.js";
import { installPackage, startCommand, startOnTerminal, startShell } from "./servicePackage.js";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";

describe("doordarshan-data fleet", function () {
  this.timeout(60_000);
  let server: MysqlServer;
  let dataSource: DataSource;
  let repositories: Repositories;
  const running: Running[] = [];

  before(async () => {
    await installPackage();
    server = await startMysqlServer();
  });
  afterEach(() => {
    for (const { child } of running.splice(0)) child.kill("SIGKILL");
  });
  after(async () => {
    if (dataSource) await closeDataSource(dataSource, 1_000);
    await server?.stop();
  });

  /** With nothing in the environment that names Redis. */
  const fleet = async (args: string[], environment: Record<string, string> = {}) => {
    const started = await startCommand({ ...server.environment, ...environment }, ["fleet", ...args]);
    running.push(started);
    const outcome = await started.outcome;
    expect(JSON.stringify(outcome))
      .to.not.match(/\s+at .*\.js/)
      .and.not.include(server.environment.MYSQL_PASSWORD);
    return outcome;
  };
  const register = (containerId: string, tenant: string) => {
    const workerIds = [`${containerId}-w0`, `${containerId}-w1`];
    return repositories.fleet.registerContainer({ containerId, host: `host-${containerId}`, tenant, workerIds });
  };

  it("says what to do with a database that is not migrated, with 6", async () => {
    const { exit, stdout, stderr } = await fleet([]);
    expect({ exit, stdout }).to.deep.equal({ exit: 6, stdout: "" });
    expect(stderr).to.match(
      /^error: .*container_heartbeat.*\nThe schema is not as this version expects it: see doordarshan-data migrate status\n$/,
    );
  });

  describe("on a migrated database", () => {
    before(async () => {
      const config = loadMysqlConfig(server.environment);
      await runMigrations(config);
      dataSource = createDataSource(config);
      await openDataSource(dataSource, 5_000);
      repositories = createRepositories(poolDatabase(dataSource));
      for (const id of ["a", "b", "c"]) await register(id, "acme");
      await register("d", "other");
      const routers = [
        { routerId: "rp", workerId: "b-w0", producerCapacity: 450 },
        { routerId: "rc", workerId: "b-w1", consumerCapacity: 300 },
      ];
      await repositories.meetings.create({ meetingId: "standup", containerId: "b", routers });
      await dataSource.query("UPDATE container_heartbeat SET heartbeat = (UNIX_TIMESTAMP() - 300) * 1000000000");
    });

    it("shows a table, once where there is no terminal, the fullest first", async () => {
      const { exit, stdout, stderr } = await fleet(["--tenant", "acme", "--limit", "2", "--workers"]);
      expect({ exit, stderr }).to.deep.equal({ exit: 0, stderr: "" });
      const cells = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
      expect(cells).to.deep.equal([
        "NODE HOST TENANT STATE WORKERS LOAD USED/LIMIT PRODUCERS CONSUMERS RESERVED MEETINGS".split(" "),
        ["b", "host-b", "acme", "dead 5m", "2", "#######...  75%", "750/1000", "450", "300", "0", "1"].flatMap(split),
        ["b-w0", "#########.  90%", "450/500", "450", "0", "0", "1"].flatMap(split),
        ["b-w1", "######....  60%", "300/500", "0", "300", "0", "1"].flatMap(split),
        ["a", "host-a", "acme", "dead 5m", "2", "..........   0%", "0/1000", "0", "0", "0", "0"].flatMap(split),
        ["a-w0", "..........   0%", "0/500", "0", "0", "0", "0"].flatMap(split),
        ["a-w1", "..........   0%", "0/500", "0", "0", "0", "0"].flatMap(split),
        ["2 nodes", "0 alive", "4", "###.......  37%", "750/2000", "450", "300", "0", "1"].flatMap(split),
        ["and 1 more; of all 3, 0 are alive (--limit shows more)"],
        [""],
      ]);
    });

    it("is one document for machines", async () => {
      const { exit, stdout } = await fleet(["--json", "--tenant", "other"]);
      const load = { limit: 500, used: 0, producers: 0, consumers: 0, reserved: 0, meetings: 0 };
      const { nodes, ...counts } = JSON.parse(stdout);
      const [{ heartbeatAgeMs, ...node }] = nodes;
      expect({ exit, ...counts }).to.deep.equal({ exit: 0, total: 1, alive: 0 });
      expect(heartbeatAgeMs).to.be.within(299_000, 420_000);
      expect(node).to.deep.equal({
        ...{ containerId: "d", host: "host-d", tenant: "other", alive: false, enabled: true, ...load, limit: 1_000 },
        workers: [
          { workerId: "d-w0", ...load },
          { workerId: "d-w1", ...load },
        ],
      });
    });

    it("refuses what cannot be meant, with 2", async () => {
      const refusals: readonly [string[], string][] = [
        [["--limit", "0"], "It must be a whole number from 1 to 10000."],
        [["--interval", "1.5"], "It must be a whole number from 1 to 3600."],
        [["--tenant", ""], "error: tenant must be a string of 1 to 255 characters"],
      ];
      for (const [args, message] of refusals) {
        const { exit, stdout, stderr } = await fleet(args);
        expect({ exit, stdout }).to.deep.equal({ exit: 2, stdout: "" });
        expect(stderr).to.include(message);
      }
    });

    it("says with 5 why MySQL cannot be used, without a secret", async () => {
      const down = await fleet([], { MYSQL_PORT: "1" });
      expect(down).to.include({ exit: 5, stdout: "" });
      expect(down.stderr).to.match(/^error: .*ECONNREFUSED.*Check that MySQL runs/);
      const refused = await fleet(["--json"], { MYSQL_PASSWORD: "canary-4711" });
      expect(refused.exit).to.equal(5);
      expect(JSON.parse(refused.stdout).error).to.include({ code: "ErrPingingMysql" });
      expect(JSON.stringify(refused)).to.not.include("canary");
    });

    it("is drawn anew in place on a terminal, also after the server was away, and leaves the terminal as it was", async () => {
      const size = { columns: 60, rows: 12 };
      const args = ["fleet", "--tenant", "acme", "--interval", "1"];
      const watching = await startOnTerminal({ ...server.environment, NO_COLOR: "1" }, args, size);
      running.push(watching);
      await watching.saysOnStdout(/3 nodes/);
      await register("e", "acme");
      await watching.saysOnStdout(/4 nodes +1 alive/);
      await server.kill();
      await watching.saysOnStdout(/trying again: /);
      await server.restart();
      await dataSource.query("SELECT 1").catch(() => undefined);
      await register("f", "acme");
      await watching.saysOnStdout(/5 nodes/);
      process.kill(Number(watching.stdout.match(/^pid (\d+)/)?.[1]), "SIGINT");
      const { exit, stdout } = await watching.outcome;
      expect(exit).to.equal(130);
      const [before, drawn, after] = [ENTER, LEAVE].reduce<string[]>(
        (parts, mark) => [...parts.slice(0, -1), ...(parts.at(-1) ?? "").split(mark)],
        [stdout],
      );
      expect(before).to.match(/^pid \d+\r\n$/);
      expect(drawn?.split("\u001b[H").length).to.be.above(4);
      const texts = ["H", "K", "J"].reduce((text, code) => text.replaceAll(`\u001b[${code}`, ""), drawn ?? "");
      for (const line of texts.split("\r\n")) expect(line.length, line).to.be.below(60);
      expect(after)
        .to.match(/^NODE +STATE +LOAD +USED\/LIMIT +MEETINGS\r\n/)
        .and.to.match(/\r\n5 nodes [^\n]*\r\n$/);
    });

    it("says with 6 that its output could not be written, and with 0 that nobody reads it", async () => {
      const command = (redirection: string) => `"$0" node_modules/.bin/doordarshan-data fleet --json ${redirection}`;
      const shell = (script: string) =>
        startShell(server.environment, script).then((started) => {
          running.push(started);
          return started.outcome;
        });
      const full = await shell(command("> /dev/full"));
      expect(full).to.deep.equal({ exit: 6, stdout: "", stderr: "error: The output could not be written: ENOSPC\n" });
      const closed = await shell(`{ ${command("")}; echo "exit $?" >&2; } | true`);
      expect(closed).to.deep.equal({ exit: 0, stdout: "", stderr: "exit 0\n" });
    });

    it("is shown once on a terminal too, where asked", async () => {
      const watching = await startOnTerminal(server.environment, ["fleet", "--once"], { columns: 40, rows: 5 });
      running.push(watching);
      const { exit, stdout } = await watching.outcome;
      expect(exit).to.equal(0);
      expect(stdout).to.match(/6 nodes/);
      expect(stdout).to.not.include(ENTER);
    });
  });

  it("explains itself, with examples", async () => {
    const { exit, stdout } = await fleet(["--help"]);
    expect(exit).to.equal(0);
    for (const part of ["--tenant", "--limit", "--workers", "--interval", "--once", "--json", "Examples:", "130"])
      expect(stdout).to.include(part);
  });
});

/** A bar and its number may be two spaces apart. */
function split(cell: string): string[] {
  return cell.split(/ {2,}/);
}
