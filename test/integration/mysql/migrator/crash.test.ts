import { expect } from "chai";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { createHandmadeTables, FEW, fillHandmadeTables, rowPrints } from "./adoptedDatabase.js";
import type { Death, Report } from "./fixtures/migratorProcess.js";
import { freshDatabase, schemaOf } from "./freshDatabase.js";
import { MigratorProcess } from "./migratorProcesses.js";

const REDIS = { REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" };
/** More than any run has statements. */
const ENDLESS = 500;

describe("a migrator killed (SIGKILL) at each statement in turn", function () {
  this.timeout(300_000);
  let server: MysqlServer;
  let expected: string;

  before(async () => {
    server = await startMysqlServer();
    const environment = await freshDatabase(server, "expected");
    await runMigrations(mysqlConfig(environment));
    expected = await schemaOf(environment);
  });
  after(() => server?.stop());

  /** Each process does one statement more than the one before it, and dies. Returns how many died. */
  async function chain(environment: Environment, deathOf: (nth: number) => Death): Promise<number> {
    const variables = { ...environment, ...REDIS } as Record<string, string>;
    // They take longer to load than to die, so the next ones load meanwhile.
    const waiting = [new MigratorProcess(), new MigratorProcess(), new MigratorProcess()];
    try {
      for (let died = 0; died < ENDLESS; died += 1) {
        const next = waiting.shift() as MigratorProcess;
        waiting.push(new MigratorProcess());
        const report: Report | undefined = await next.obey({ do: "run", environment: variables, die: deathOf(died) });
        next.kill();
        if (report) {
          expect(report.error).to.equal(undefined);
          return died;
        }
      }
      throw new Error("The chain of processes has no end");
    } finally {
      for (const process of waiting) process.kill();
    }
  }

  it("converges on a fresh database", async () => {
    const environment = await freshDatabase(server, "fresh");
    const died = await chain(environment, (nth) => (nth % 2 ? { at: 1, when: "after" } : { at: 2, when: "before" }));
    expect(died).to.be.within(40, 80);
    expect(await schemaOf(environment)).to.equal(expected);
    await expectRecordedOnce(environment);
  });

  it("converges on an adopted database, with every row", async () => {
    const environment = await freshDatabase(server, "adopted");
    const rows = await withDataSource(environment, {}, async (database) => {
      await createHandmadeTables(database);
      await fillHandmadeTables(database, FEW);
      return rowPrints(database);
    });
    const died = await chain(environment, (nth) => (nth % 2 ? { at: 2, when: "before" } : { at: 1, when: "after" }));
    expect(died).to.be.within(40, 120);
    expect(await schemaOf(environment)).to.equal(expected);
    expect(await withDataSource(environment, {}, rowPrints)).to.deep.equal(rows);
    await expectRecordedOnce(environment);
  });

  async function expectRecordedOnce(environment: Environment): Promise<void> {
    const sql = "SELECT name, COUNT(*) AS n FROM migrations GROUP BY name HAVING COUNT(*) > 1 OR MAX(checksum) IS NULL";
    expect(await withDataSource(environment, {}, (database) => database.query(sql))).to.deep.equal([]);
  }
});
