import { expect } from "chai";
import { migrations } from "../../../../migrations/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { createHandmadeTables, FEW, fillHandmadeTables, rowPrints } from "./adoptedDatabase.js";
import { type Compiled, compileFixture } from "./compiledFixture.js";
import type { Death } from "./fixtures/migratorProcess.js";
import { freshDatabase, schemaOf } from "./freshDatabase.js";
import { MigratorProcess } from "./migratorProcesses.js";

const REDIS = { REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" };

describe("a migrator killed (SIGKILL) at each statement in turn", function () {
  this.timeout(300_000);
  let server: MysqlServer;
  let fixture: Compiled;
  let expected: string;
  const names = migrations.map(({ name }) => name);

  before(async () => {
    [server, fixture] = await Promise.all([startMysqlServer(), compileFixture()]);
    const environment = await freshDatabase(server, "expected");
    await runMigrations(mysqlConfig(environment));
    expected = await schemaOf(environment);
  });
  after(async () => {
    await server?.stop();
    await fixture?.remove();
  });

  /** Each process dies at the first statement that none died at before. Returns those statements. */
  async function chain(
    environment: Environment,
    migrations: readonly string[],
    whenOf: (nth: number) => Death["when"],
  ): Promise<string[]> {
    const variables = { ...environment, ...REDIS } as Record<string, string>;
    const spared: string[] = [];
    // They take longer to load than to die, so the next ones load meanwhile.
    const waiting = [new MigratorProcess(fixture.file), new MigratorProcess(fixture.file)];
    try {
      for (;;) {
        const next = waiting.shift() as MigratorProcess;
        waiting.push(new MigratorProcess(fixture.file));
        const die = { migrations, spared, when: whenOf(spared.length) };
        const outcome = await next.obey({ do: "run", environment: variables, die }).finally(() => next.kill());
        if (!("diedOf" in outcome)) {
          expect(outcome.error).to.equal(undefined);
          return spared;
        }
        expect(spared).to.not.include(outcome.diedOf);
        spared.push(outcome.diedOf);
      }
    } finally {
      for (const process of waiting) process.kill();
    }
  }

  it("converges on a fresh database", async () => {
    const environment = await freshDatabase(server, "fresh");
    const died = await chain(environment, ["migrations", ...names], (nth) => (nth % 2 ? "after" : "before"));
    expect(died).to.have.length.above(40);
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
    // Those that follow do the same as on a fresh one.
    const died = await chain(environment, names.slice(0, 3), (nth) => (nth % 2 ? "before" : "after"));
    expect(died).to.have.length.above(40);
    expect(await schemaOf(environment)).to.equal(expected);
    expect(await withDataSource(environment, {}, rowPrints)).to.deep.equal(rows);
    await expectRecordedOnce(environment);
  });

  async function expectRecordedOnce(environment: Environment): Promise<void> {
    const sql = "SELECT name, COUNT(*) AS n FROM migrations GROUP BY name HAVING COUNT(*) > 1 OR MAX(checksum) IS NULL";
    expect(await withDataSource(environment, {}, (database) => database.query(sql))).to.deep.equal([]);
  }
});
