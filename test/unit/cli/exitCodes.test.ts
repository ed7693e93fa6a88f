import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { EXIT, EXIT_CODES, exitCodeOf, exitCodesHelp } from "../../../src/cli/exitCodes.js";
import { createProgram } from "../../../src/cli/program.js";
import * as errors from "../../../src/errors.js";
import { exitCodesTable } from "../../support/exitCodesTable.js";

const fails = (details: { errno?: number; driverCode?: string }) =>
  new errors.QueryError(new errors.DriverError("it failed", details));
const inMigration = (cause: errors.DataError) => new errors.MigrationFailedError("AddKeys1", "big", cause);

const GUIDE = new URL("../../../docs/operations.md", import.meta.url);

describe("exit codes", () => {
  it("are all in the one table, which docs/operations.md has as it is", async () => {
    expect(EXIT_CODES.flatMap(({ codes }) => codes)).to.have.members(Object.values(EXIT));
    const [, table] = /<!-- exit codes -->\n([\s\S]*?)\n<!-- /.exec(await readFile(GUIDE, "utf8")) ?? [];
    expect(table, "paste test/support/exitCodesTable.ts' output between the markers").to.equal(exitCodesTable());
  });

  it("are told by --help of each command, wrapped where the terminal ends, and examples left whole", () => {
    for (const command of createProgram().commands) {
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 60 }).outputHelp();
      const [, , codes] = /(\n\nExit codes:\n)((?: {2}.*\n?)+)/.exec(help) ?? [];
      expect(codes?.match(/^ {2}\d+/gm)).to.deep.equal(exitCodesHelp(command.name() as "fleet").match(/^ {2}\d+/gm));
      const tooLong = help.split("\n").filter((line) => line.length > 60 && !line.startsWith("  doordarshan-data "));
      expect(tooLong).to.deep.equal([]);
    }
  });

  const cases: readonly [number, string, unknown][] = [
    [2, "a configuration that is wrong", new errors.ConfigError([])],
    [
      2,
      "a secret file that cannot be used",
      new errors.CredentialError("MYSQL_MIGRATION_SECRET_FILE", "/s", "is empty"),
    ],
    [2, "an argument that is refused", new errors.InvalidInputError("Name", "is taken")],
    [3, "a history that does not fit", new errors.MigrationHistoryError([])],
    [3, "tables that cannot be taken over", new errors.AdoptionError([])],
    [3, "rows that would be lost", new errors.DataLossError([])],
    [4, "a lock that others hold", new errors.MigrationLockError("held")],
    [4, "a table that others use", new errors.MigrationBlockedError("AddKeys1", "big", "")],
    [5, "a server that does not answer at the start", new errors.MysqlPingError("no answer")],
    [5, "a Redis that does not answer at the start", new errors.RedisPingError("no answer")],
    [5, "a server that answers no more", new errors.DeadlineExceededError("silent")],
    [5, "a connection that broke", fails({ driverCode: "PROTOCOL_CONNECTION_LOST" })],
    [5, "a connection that broke under a statement", inMigration(fails({ errno: -104, driverCode: "ECONNRESET" }))],
    [5, "a server that shuts down", inMigration(fails({ errno: 1053 }))],
    [6, "a statement that fails", inMigration(fails({ errno: 1114 }))],
    [6, "a right that is missing", fails({ errno: 1142 })],
    [6, "what nobody thought of", new TypeError("x is not a function")],
  ];
  for (const [code, title, error] of cases) it(`${code}: ${title}`, () => expect(exitCodeOf(error)).to.equal(code));
});
