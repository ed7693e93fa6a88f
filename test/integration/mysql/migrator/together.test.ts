import { expect } from "chai";
import { migrations } from "../../../../migrations/index.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import {
  type Environment,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../../src/testing/index.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { type Compiled, compileFixture } from "./compiledFixture.js";
import { freshDatabase, schemaOf, withMigrations } from "./freshDatabase.js";
import { MigratorProcess } from "./migratorProcesses.js";

const PROCESSES = 8;
const ROUNDS = 50;

describe("8 processes that start together", function () {
  this.timeout(300_000);
  let server: MysqlServer;
  let redis: RedisServer;
  let fixture: Compiled;
  let processes: MigratorProcess[];
  let expected: string;
  const names = migrations.map(({ name }) => name);

  before(async () => {
    [server, redis, fixture] = await Promise.all([startMysqlServer(), startRedisServer(), compileFixture()]);
    processes = Array.from({ length: PROCESSES }, () => new MigratorProcess(fixture.file));
    const environment = await freshDatabase(server, "expected");
    await runMigrations(mysqlConfig(environment));
    expected = await schemaOf(environment);
  });
  after(async () => {
    for (const process of processes ?? []) process.kill();
    await Promise.all([server?.stop(), redis?.stop(), fixture?.remove()]);
  });

  /** Each process starts a container or runs the migrations, turn and turn about. Returns what all of them applied. */
  async function startAll(environment: Environment, round: number): Promise<string[]> {
    const variables = { ...environment, ...redis.environment } as Record<string, string>;
    const reports = await Promise.all(
      processes.map((process, at) => process.obey({ do: (at + round) % 2 ? "start" : "run", environment: variables })),
    );
    return reports.flatMap((report) => {
      expect(report).to.not.have.property("diedOf");
      expect(report).to.not.have.property("error");
      return "applied" in report && report.applied ? report.applied : [];
    });
  }

  it(`apply each migration once and all start, in ${ROUNDS} rounds on empty and on half-migrated databases`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      // Dropped and made anew each time: what is read of the schema takes longer the more databases there are.
      const environment = await freshDatabase(server, "together");
      const done = round % 2 === 0 ? 0 : 1 + (round % 5);
      if (done > 0)
        await withMigrations(environment, migrations.slice(0, done), (migrator) => migrator.runMigrations());
      expect(await startAll(environment, round), `round ${round}`).to.deep.equal(names.slice(done));
      await expectRecordedOnce(environment);
    }
  });

  async function expectRecordedOnce(environment: Environment): Promise<void> {
    const recorded = await withDataSource(environment, {}, (database) =>
      database.query("SELECT name FROM migrations ORDER BY id"),
    );
    expect(recorded).to.deep.equal(names.map((name) => ({ name })));
    expect(await schemaOf(environment)).to.equal(expected);
  }
});
