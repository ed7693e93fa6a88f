import { expect } from "chai";
import { planText, statusText } from "../../../src/cli/migrationTexts.js";

describe("the texts of the commands", () => {
  it("status: a table with what is wrong, and a count", () => {
    const appliedAt = new Date("2026-01-02T03:04:05.678Z");
    const text = statusText([
      { name: "CreateTables1", state: "applied", appliedAt, problem: undefined },
      { name: "AddKeys2", state: "applied", appliedAt: undefined, problem: "edited" },
      { name: "AddTitle3", state: "reverting", appliedAt, problem: undefined },
      { name: "AddMore4", state: "pending", appliedAt: undefined, problem: undefined },
    ]);
    expect(text).to.equal(
      [
        "migration      state          applied at (UTC)          checksum",
        "CreateTables1  applied        2026-01-02T03:04:05.678Z  ok",
        "AddKeys2       applied        -                         edited",
        "AddTitle3      half reverted  2026-01-02T03:04:05.678Z  -",
        "AddMore4       pending        -                         -",
        "",
        "2 applied, 2 pending.",
      ].join("\n"),
    );
  });

  it("plan: each statement, its table's size, and who waits", () => {
    const size = { rows: 99_400, bytes: 21_000_000 };
    const text = planText([
      {
        name: "migrations",
        statements: [
          {
            sql: "CREATE TABLE migrations (id int)",
            table: "migrations",
            size: undefined,
            blocks: "nobody",
            rebuilds: false,
          },
        ],
      },
      {
        name: "AddKeys2",
        statements: [
          { sql: "ALTER TABLE big\n  ADD KEY k (a)", table: "big", size, blocks: "nobody", rebuilds: false },
          { sql: "ALTER TABLE big MODIFY a int", table: "big", size, blocks: "writers", rebuilds: true },
          { sql: "CREATE TABLE small (a int)", table: "small", size: undefined, blocks: "nobody", rebuilds: false },
        ],
      },
      { name: "CountLoads3", statements: [] },
    ]);
    expect(text).to.equal(
      [
        "migrations",
        "  migrations: new; nobody waits",
        "    CREATE TABLE migrations (id int);",
        "",
        "AddKeys2",
        "  big: 99,400 rows, 21 MB; nobody waits",
        "    ALTER TABLE big ADD KEY k (a);",
        "  big: 99,400 rows, 21 MB; writes every row anew, its writers wait",
        "    ALTER TABLE big MODIFY a int;",
        "  small: new; nobody waits",
        "    CREATE TABLE small (a int);",
        "",
        "CountLoads3",
        "  nothing left to do but to record it",
        "",
        "2 migrations, 4 statements, 1 of which keeps others waiting.",
      ].join("\n"),
    );
    expect(planText([])).to.equal("Nothing to do: the database is up to date.");
  });
});
