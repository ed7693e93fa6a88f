import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TYPEORM = ["--import", "tsx", "node_modules/typeorm/cli.js"];

describe("TypeORM's command line on ormconfig.ts", function () {
  this.timeout(120_000);
  let server: MysqlServer;

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());

  const typeorm = (...args: string[]): Promise<{ exit: number; output: string }> => {
    const [command, ...rest] = args;
    const env = { PATH: process.env.PATH, ...server.environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" };
    return new Promise((resolve) => {
      const argv = [...TYPEORM, command as string, "-d", "ormconfig.ts", ...rest];
      execFile(process.execPath, argv, { cwd: ROOT, env }, (error, stdout, stderr) =>
        resolve({ exit: error ? Number(error.code) : 0, output: stdout + stderr }),
      );
    });
  };

  it("runs, shows, finds no drift, reverts", async () => {
    const run = await typeorm("migration:run");
    expect(run.exit, run.output).to.equal(0);
    const shown = await typeorm("migration:show");
    expect(shown.output)
      .to.match(/\[X\] 1 CreateMeetingTables/)
      .and.match(/\[X\] 2 AddPrimaryKeys/);
    const drift = await typeorm("migration:generate", "migrations/Drift", "--check");
    expect(drift.exit, drift.output).to.equal(0);
    // Down to where the schema differs from the entities: the last two change no table.
    const reverts: Awaited<ReturnType<typeof typeorm>>[] = [];
    for (let n = 0; n < 3; n += 1) reverts.push(await typeorm("migration:revert"));
    for (const { exit, output } of reverts) expect(exit, output).to.equal(0);
    const after = await typeorm("migration:show");
    expect(after.output)
      .to.match(/\[X\] 1 CreateMeetingTables/)
      .and.match(/\[ \] CreatePlacementTables/);
    const drifted = await typeorm("migration:generate", "migrations/Drift", "--check");
    expect(drifted.exit, drifted.output).to.equal(1);
    for (const { output } of [run, shown, drift, ...reverts])
      expect(output).to.not.contain(server.environment.MYSQL_PASSWORD);
  });
});
