import { expect } from "chai";
import { migrations } from "../../../../migrations/index.js";
import { EXIT, exitCodeOf } from "../../../../src/cli/exitCodes.js";
import type { HistoryProblem } from "../../../../src/errors.js";
import {
  migrationStatus,
  pendingMigrations,
  planMigrations,
  revertMigrations,
  runMigrations,
} from "../../../../src/mysql/migrator/migrator.js";
import { SteppedMigration } from "../../../../src/mysql/migrator/steppedMigration.js";
import { addIndex, createTable, dropIndex, dropTable } from "../../../../src/mysql/migrator/steps.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { failureOf, mysqlConfig, withDataSource } from "../testDataSource.js";
import { freshDatabase, schemaOf, withMigrations } from "./freshDatabase.js";

const NOTES = {
  name: "notes",
  columns: [{ name: "note_id", type: "varchar(64)", nullable: false }],
  indexes: [{ name: "PRIMARY", unique: true, columns: ["note_id"] }],
  foreignKeys: [],
};

class CreateNotes1000000000001 extends SteppedMigration {
  readonly upSteps = [createTable(NOTES)];
  readonly downSteps = [dropTable("notes", { keepRows: true })];
}

class IndexNotes1000000000003 extends SteppedMigration {
  readonly upSteps = [addIndex("notes", { name: "idx_notes", unique: false, columns: ["note_id"] })];
  readonly downSteps = [dropIndex("notes", "idx_notes")];
}

class LateNotes1000000000002 extends SteppedMigration {
  readonly upSteps = [addIndex("notes", { name: "idx_late", unique: false, columns: ["note_id"] })];
  readonly downSteps = [dropIndex("notes", "idx_late")];
}

describe("the history of migrations", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;
  let databases = 0;

  before(async () => {
    server = await startMysqlServer();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    databases += 1;
    environment = await freshDatabase(server, `history_${databases}`);
  });

  const config = () => mysqlConfig(environment);
  const query = (sql: string, parameters?: unknown[]) =>
    withDataSource(environment, {}, (dataSource) => dataSource.query(sql, parameters));
  const runAll = () => runMigrations(config());
  const last = migrations.at(-1)?.name as string;

  /** Every way to use the database refuses, says the same, and changes nothing. */
  async function expectRefused(problems: readonly HistoryProblem[], says: string): Promise<void> {
    const before = [await schemaOf(environment), await query("SELECT * FROM migrations")];
    const pending = () => withDataSource(environment, {}, pendingMigrations);
    for (const way of [runAll, () => revertMigrations(config()), () => planMigrations(config()), pending]) {
      const error = await failureOf(way());
      expect(error).to.deep.include({ code: "ErrMigrationHistory", problems });
      expect(error.message).to.include(says);
    }
    const told = (await migrationStatus(config())).filter(({ problem }) => problem);
    expect(told.map(({ name, problem }) => ({ name, problem }))).to.have.deep.members([...problems]);
    expect([await schemaOf(environment), await query("SELECT * FROM migrations")]).to.deep.equal(before);
  }

  it("refuses an edited migration by its name", async () => {
    await runAll();
    await query("UPDATE migrations SET checksum = REPEAT('0', 64) WHERE name = ?", [last]);
    await expectRefused([{ name: last, problem: "edited" }], `${last} was edited after it was applied`);
  });

  it("refuses one that is missing from the code, and a database that is newer than the code", async () => {
    await runAll();
    await query("INSERT INTO migrations (timestamp, name) VALUES (1795302000001, 'Gone1795302000001')");
    await query("INSERT INTO migrations (timestamp, name) VALUES (2000000000000, 'Future2000000000000')");
    const problems = [
      { name: "Gone1795302000001", problem: "missing" },
      { name: "Future2000000000000", problem: "newer" },
    ] as const;
    await expectRefused(problems, "Future2000000000000 is newer than this version of the package");
  });

  it("refuses a pending one that is older than one applied", async () => {
    await runAll();
    const first = migrations[0].name;
    await query("DELETE FROM migrations WHERE name = ?", [first]);
    await expectRefused([{ name: first, problem: "out-of-order" }], `${first} is older than one that was applied`);
  });

  it("leaves another program's table of that name alone", async () => {
    await query("CREATE TABLE migrations (id int NOT NULL PRIMARY KEY, migration varchar(255), batch int)");
    const before = await schemaOf(environment);
    const pending = () => withDataSource(environment, {}, pendingMigrations);
    const reading = [() => planMigrations(config()), () => migrationStatus(config()), pending];
    for (const way of [runAll, () => revertMigrations(config()), ...reading]) {
      const error = await failureOf(way());
      expect(error).to.include({ code: "ErrMigrationTable", table: "migrations" });
      expect(exitCodeOf(error)).to.equal(EXIT.refused);
    }
    expect(await schemaOf(environment)).to.equal(before);
  });

  it("notices the edit in the code itself, and one put between, and tells both together", async () => {
    await withMigrations(environment, [CreateNotes1000000000001, IndexNotes1000000000003], (migrator) =>
      migrator.runMigrations(),
    );
    class Edited extends SteppedMigration {
      override get name() {
        return "CreateNotes1000000000001";
      }
      readonly upSteps = [
        createTable({ ...NOTES, columns: [{ name: "note_id", type: "varchar(32)", nullable: false }] }),
      ];
      readonly downSteps = [];
    }
    const list = [Edited, LateNotes1000000000002, IndexNotes1000000000003];
    const error = await failureOf(withMigrations(environment, list, (migrator) => migrator.runMigrations()));
    expect(error).to.deep.include({
      problems: [
        { name: "CreateNotes1000000000001", problem: "edited" },
        { name: "LateNotes1000000000002", problem: "out-of-order" },
      ],
    });
  });

  it("takes a mended way down for no edit", async () => {
    await withMigrations(environment, [CreateNotes1000000000001], (migrator) => migrator.runMigrations());
    class Mended extends CreateNotes1000000000001 {
      override get name() {
        return "CreateNotes1000000000001";
      }
      override readonly downSteps = [dropTable("notes", { keepRows: false })];
    }
    await withMigrations(environment, [Mended], (migrator) => migrator.undoLastMigration());
    expect(await query("SHOW TABLES LIKE 'notes'")).to.deep.equal([]);
  });

  it("takes TypeORM's own table over, whatever its collation, and fills the checksums in", async () => {
    await runAll();
    const schema = await schemaOf(environment);
    const rows = await query("SELECT id, timestamp, name, checksum FROM migrations ORDER BY id");
    await query("ALTER TABLE migrations DROP COLUMN checksum, DROP COLUMN applied_at, CONVERT TO CHARACTER SET latin1");
    expect(await runAll()).to.deep.equal([]);
    expect(await schemaOf(environment)).to.equal(schema);
    expect(await query("SELECT id, timestamp, name, checksum FROM migrations ORDER BY id")).to.deep.equal(rows);
    const statuses = await migrationStatus(config());
    expect(statuses.map(({ state, appliedAt }) => [state, appliedAt])).to.deep.equal(
      migrations.map(() => ["applied", undefined]),
    );
  });

  it("goes on with a migration half taken back, in either direction", async () => {
    await runAll();
    const schema = await schemaOf(environment);
    await query("UPDATE migrations SET checksum = 'reverting' WHERE name = ?", [last]);
    expect(await withDataSource(environment, {}, pendingMigrations)).to.deep.equal([last]);
    expect((await migrationStatus(config())).at(-1)).to.include({ name: last, state: "reverting", problem: undefined });
    expect(await runAll()).to.deep.equal([last]);
    expect(await query("SELECT name FROM migrations WHERE name = ?", [last])).to.have.length(1);
    expect(await schemaOf(environment)).to.equal(schema);
    await query("UPDATE migrations SET checksum = 'reverting' WHERE name = ?", [last]);
    expect(await revertMigrations(config())).to.deep.equal([last]);
    expect(await query("SELECT name FROM migrations WHERE name = ?", [last])).to.deep.equal([]);
  });

  it("records without running what TypeORM's --fake is given, and runs nothing outside the lock", async () => {
    const faked = await withMigrations(environment, [CreateNotes1000000000001], (migrator) =>
      migrator.runMigrations({ fake: true }),
    );
    expect(faked.map(({ name }) => name)).to.deep.equal(["CreateNotes1000000000001"]);
    expect(await query("SHOW TABLES")).to.have.length(1);
    const migration = new CreateNotes1000000000001();
    for (const way of [migration.up(), migration.down()])
      expect(await failureOf(way)).to.have.property("code", "ErrInvalidInput");
  });
});
