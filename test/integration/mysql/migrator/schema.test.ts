import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { expectedSchemaText, findDrift } from "../../../../src/mysql/migrator/drift.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { readLiveSchema } from "../../../../src/mysql/migrator/schemaReader.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { schemaDiagram } from "../../../support/schemaDiagram.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { createHandmadeTables, FEW, fillHandmadeTables, type Handmade, rowPrints } from "./adoptedDatabase.js";
import { freshDatabase, schemaOf } from "./freshDatabase.js";

/** Each a production database as somebody may have made it. */
const STARTING_STATES: Readonly<Record<string, Handmade>> = {
  "the engine's own collation": {},
  "utf8mb4_general_ci and columns in another order": { collation: "utf8mb4_general_ci", reversed: true },
  "utf8mb4_unicode_ci and keys with names": { collation: "utf8mb4_unicode_ci", named: true },
  "utf8mb4_bin, where only names differ": { collation: "utf8mb4_bin" },
  "utf8mb3 and compact rows": { charset: "utf8mb3", options: "ROW_FORMAT=COMPACT" },
  "narrower ids that compare as they should": { collation: "utf8mb4_bin", idType: "varchar(60)" },
  "missing foreign keys, ids of fixed length, narrower numbers and a column that may not be NULL": {
    withoutForeignKeys: ["router_worker", "router_meeting", "participant_meeting"],
    columns: {
      "meeting_status.meeting_id": "char(40) NOT NULL",
      "router_meeting.capacity": "SMALLINT UNSIGNED",
      "participant_meeting.meeting_id": "varchar(64) NOT NULL",
    },
  },
  "keys of a later migration": { more: { participant_producers: ["PRIMARY KEY (participant_id, producer_id)"] } },
};

describe("the schema", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let freshEnvironment: Environment;
  let fresh: string;

  before(async () => {
    server = await startMysqlServer();
    freshEnvironment = await freshDatabase(server, "fresh");
    await runMigrations(mysqlConfig(freshEnvironment));
    fresh = await schemaOf(freshEnvironment);
  });
  after(() => server?.stop());

  const handmade = async (how: Handmade): Promise<Environment> => {
    const environment = await freshDatabase(server, "handmade");
    await withDataSource(environment, {}, async (database) => {
      await createHandmadeTables(database, how);
      await fillHandmadeTables(database, FEW);
    });
    return environment;
  };
  const printsOf = (environment: Environment) => withDataSource(environment, {}, rowPrints);

  it("of a fresh database is test/schema.sql; where it is meant to change, run `npm run schema` and read the difference", async () => {
    expect(fresh).to.equal(await expectedSchemaText());
  });

  it("of a fresh database is the diagram in docs/schema.md; where it is meant to change, run `npm run schema` and read the difference", async () => {
    const diagram = schemaDiagram(await withDataSource(freshEnvironment, {}, readLiveSchema));
    expect(await readFile(new URL("../../../../docs/schema.md", import.meta.url), "utf8")).to.equal(diagram);
  });

  for (const [state, how] of Object.entries(STARTING_STATES)) {
    it(`is the same, and the rows are, for a database adopted with ${state}`, async () => {
      const environment = await handmade(how);
      const before = await printsOf(environment);
      expect(await schemaOf(environment)).to.not.equal(fresh);
      await runMigrations(mysqlConfig(environment));
      expect(await schemaOf(environment)).to.equal(fresh);
      expect(await printsOf(environment)).to.deep.equal(before);
      expect(await withDataSource(environment, {}, findDrift)).to.deep.equal({ tables: [] });
    });
  }

  it("keeps what is there besides, and takes what is missing into it", async () => {
    const environment = await handmade({
      more: { meeting_status: ["title varchar(100) NULL", "KEY by_title (title)"] },
    });
    await withDataSource(environment, {}, async (database) => {
      await database.query("DROP TABLE container_status");
      await database.query("UPDATE meeting_status SET title = 'Standup'");
    });
    await runMigrations(mysqlConfig(environment));
    const { tables } = await withDataSource(environment, {}, findDrift);
    expect(tables.map(({ table }) => table)).to.deep.equal(["meeting_status"]);
    expect(tables[0]?.lines).to.have.length(2).and.include("+ KEY by_title (title)");
    await withDataSource(environment, {}, async (database) => {
      const [row] = await database.query("SELECT COUNT(*) AS n FROM meeting_status WHERE title = 'Standup'");
      expect(Number(row.n)).to.equal(FEW.meetings);
    });
  });
});
