import { expect } from "chai";
import { MigrationLockError } from "../../../src/errors.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { createMigrationDataSource, pendingMigrations, runMigrations } from "../../../src/mysql/migrations.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { asAdmin, failureOf, mysqlConfig, withDataSource } from "./testDataSource.js";

describe("migrations", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  const names = [
    "CreateMeetingTables1795302000000",
    "AddPrimaryKeys1795305600000",
    "AddOperationIndexes1795309200000",
    "CreatePlacementTables1795312800000",
    "AddTriggers1795316400000",
    "CountLoads1795320000000",
  ];

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());
  beforeEach(() =>
    withDataSource(asAdmin(server), {}, async (admin) => {
      await admin.query("DROP DATABASE doordarshan");
      await admin.query("CREATE DATABASE doordarshan");
    }),
  );

  const config = () => mysqlConfig(server.environment);
  const onServer = <T>(use: (dataSource: DataSource) => Promise<T>) => withDataSource(server.environment, {}, use);
  const withMigrator = async <T>(use: (dataSource: DataSource) => Promise<T>): Promise<T> => {
    const dataSource = createMigrationDataSource(config());
    await openDataSource(dataSource, 5_000);
    try {
      return await use(dataSource);
    } finally {
      await closeDataSource(dataSource, 1_000);
    }
  };
  /** Takes the newest migrations back until `left` are left. */
  const undoTo = (left: number) =>
    withMigrator(async (migrator) => {
      for (let undone = names.length; undone > left; undone -= 1) await migrator.undoLastMigration();
    });
  /** Columns, keys, foreign keys and triggers, as far as both directions of a migration have to restore them. */
  const schemaOf = (dataSource: DataSource): Promise<unknown[][]> =>
    Promise.all([
      dataSource.query(
        `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME FROM information_schema.COLUMNS
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations' ORDER BY 1, 2`,
      ),
      dataSource.query(
        `SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations' ORDER BY 1, 2, 3`,
      ),
      dataSource.query(
        `SELECT CONSTRAINT_NAME, TABLE_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE
         FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1`,
      ),
      dataSource.query(
        `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS
         WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1`,
      ),
    ]);

  it("are pending on an empty database, reading alone changes nothing, and running them makes them not", () =>
    onServer(async (dataSource) => {
      expect(await pendingMigrations(dataSource)).to.deep.equal(names);
      expect(await dataSource.query("SHOW TABLES")).to.deep.equal([]);
      const progress: string[] = [];
      expect(await runMigrations(config(), { onProgress: (line) => progress.push(line) })).to.deep.equal(names);
      expect(progress.join()).to.include("Applied CreateMeetingTables");
      expect(await pendingMigrations(dataSource)).to.deep.equal([]);
      expect(await runMigrations(config())).to.deep.equal([]);
      expect(await dataSource.query("SHOW TABLES")).to.have.length(17);
    }));

  it("go up, down to nothing, and up again to the same schema", () =>
    onServer(async (dataSource) => {
      const schemas: unknown[][][] = [];
      for (let round = 0; round < 2; round += 1) {
        await runMigrations(config());
        for (let left = names.length; left > 0; left -= 1) {
          schemas.push(await schemaOf(dataSource));
          await withMigrator((migrator) => migrator.undoLastMigration());
        }
        expect(await schemaOf(dataSource)).to.deep.equal([[], [], [], []]);
      }
      expect(schemas.slice(names.length)).to.deep.equal(schemas.slice(0, names.length));
      expect(schemas.at(-1)).to.not.deep.equal(schemas.at(-2));
    }));

  it("restore the nullable columns when the primary keys go", () =>
    onServer(async (dataSource) => {
      await dataSource.query("CREATE TABLE migrations_seen (n int)");
      const before = await withMigrator(async (migrator) => {
        const [create] = migrator.migrations;
        const runner = migrator.createQueryRunner();
        await create?.up(runner);
        await runner.release();
        return schemaOf(dataSource);
      });
      await runMigrations(config());
      await undoTo(1);
      expect(await schemaOf(dataSource)).to.deep.equal(before);
    }));

  it("may be run again after a run that died before it was recorded", () =>
    onServer(async (dataSource) => {
      await runMigrations(config());
      const schema = await schemaOf(dataSource);
      await dataSource.query("DELETE FROM migrations");
      await dataSource.query("ALTER TABLE router_meeting DROP PRIMARY KEY");
      await dataSource.query("DROP TABLE participant_consumers");
      expect(await runMigrations(config())).to.deep.equal(names);
      expect(await schemaOf(dataSource)).to.deep.equal(schema);
    }));

  it("are applied once, however many run them at once", async () => {
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => runMigrations(config())));
    expect(outcomes.filter((applied) => applied.length > 0)).to.deep.equal([names]);
    await onServer(async (dataSource) => {
      expect(await dataSource.query("SELECT name FROM migrations")).to.have.length(names.length);
    });
  });

  it("wait for the lock no longer than told, and take it when its holder is gone", () =>
    onServer(async (dataSource) => {
      const holder = dataSource.createQueryRunner();
      await holder.query("SELECT GET_LOCK('doordarshan-data:migrate:doordarshan', 0)");
      const error = await failureOf(runMigrations(config(), { lockTimeoutMs: 1_000 }));
      expect(error).to.be.instanceOf(MigrationLockError);
      const waiting = runMigrations(config(), { lockTimeoutMs: 20_000 });
      await holder.release();
      expect(await waiting).to.deep.equal(names);
    }));

  it("run without the limits on statements", async () => {
    const short = mysqlConfig(server.environment, { queryTimeoutMs: 100 });
    const dataSource = createDataSource(short, { limitStatements: false });
    await openDataSource(dataSource, 5_000);
    // MySQL calls the result a BIGINT, which comes as text.
    expect(Number((await dataSource.query("SELECT SLEEP(0.3) AS n"))[0].n)).to.equal(0);
    await closeDataSource(dataSource, 1_000);
  });

  it("are those in the list, named for their files", async () => {
    const { readdirSync } = await import("node:fs");
    const { migrations } = await import("../../../migrations/index.js");
    const files = readdirSync(new URL("../../../migrations", import.meta.url)).filter((file) => /^\d/.test(file));
    const inFiles = files.sort().map((file) => file.replace(/^(\d+)-(.*)\.ts$/, "$2$1"));
    expect(migrations.map(({ name }) => name)).to.deep.equal(inFiles);
    expect(inFiles).to.deep.equal(names);
  });
});
