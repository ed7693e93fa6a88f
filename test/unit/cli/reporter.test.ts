import { expect } from "chai";
import { createReporter, type Reporter } from "../../../src/cli/reporter.js";
import { AdoptionError, ConfigError, MysqlPingError } from "../../../src/errors.js";
import type { MigrationEvent } from "../../../src/mysql/migrator/progress.js";

interface Written {
  readonly reporter: Reporter;
  readonly out: string[];
  readonly err: string[];
}

function written(options: { json?: boolean; isTTY?: boolean; columns?: number } = {}): Written {
  const [out, err] = [[] as string[], [] as string[]];
  const { json = false, isTTY = false, columns } = options;
  const stream = (lines: string[]) => ({
    write: (text: string) => lines.push(text),
    isTTY,
    ...(columns && { columns }),
  });
  return { reporter: createReporter({ json }, { out: stream(out), err: stream(err) }), out, err };
}

const work = { migration: "AddKeys1", table: "big", message: "AddKeys1: rebuilding big" };
const statement = (rows: number, blocks: "nobody" | "writers"): MigrationEvent => ({
  ...{ kind: "statement", ...work, sql: "ALTER TABLE big", blocks, rebuilds: blocks !== "nobody" },
  size: { rows, bytes: 1 },
});
const running = (seconds: number): MigrationEvent => ({
  ...{ kind: "running", ...work, message: `AddKeys1: big, ${seconds} s`, elapsedMs: seconds * 1_000 },
  state: undefined,
  percent: undefined,
});
const applied: MigrationEvent = { kind: "applied", migration: "AddKeys1", message: "Applied AddKeys1" };

describe("what a command says", () => {
  it("without a terminal: lines, of what others notice and of what is done, and every ten seconds of what lasts", () => {
    const { reporter, out, err } = written();
    reporter.progress(statement(0, "writers"));
    reporter.progress(statement(10, "nobody"));
    reporter.progress(statement(10, "writers"));
    for (let seconds = 1; seconds <= 25; seconds += 1) reporter.progress(running(seconds));
    reporter.progress(applied);
    expect(err.join("")).to.equal(
      "AddKeys1: rebuilding big\nAddKeys1: big, 10 s\nAddKeys1: big, 20 s\nApplied AddKeys1\n",
    );
    reporter.progress(statement(10, "writers"));
    reporter.progress(running(11));
    expect(err.slice(-1)).to.deep.equal(["AddKeys1: big, 11 s\n"]);
    expect(out).to.deep.equal([]);
  });

  it("on a terminal: one line that is rewritten, cut to its width, and gone before the next that stays", () => {
    const { reporter, out, err } = written({ isTTY: true, columns: 12 });
    reporter.progress(running(1));
    reporter.progress(running(2));
    reporter.note("A note");
    reporter.progress(running(3));
    reporter.result({}, "Done.");
    const cut = "\r\u001b[KAddKeys1: …";
    expect(err).to.deep.equal([cut, cut, "\r\u001b[K", "A note\n", cut, "\r\u001b[K"]);
    expect(out).to.deep.equal(["Done.\n"]);
  });

  it("a list as a list: what is wrong with the configuration, and what stands in the way with its rows and remedies", () => {
    const { reporter, err } = written();
    reporter.failure(new ConfigError([{ variable: "MYSQL_PORT", problem: "must be a number" }]));
    const rows = [{ producer_id: "p" }];
    const problem = "has the same producer_id twice";
    reporter.failure(new AdoptionError([{ table: "producers", problem, rows, count: 3, remedies: ["DELETE …"] }]));
    expect(err.join("")).to.equal(
      "error: Configuration is invalid:\n  MYSQL_PORT must be a number\n" +
        "error: The database cannot be taken over as it is, and nothing was changed:\n" +
        "  producers has the same producer_id twice\n" +
        '    {"producer_id":"p"}\n    … 3 in all\n    what helps, once you have looked at it:\n      DELETE …\n',
    );
  });

  it("nothing that a terminal would obey, of whatever another program wrote, to people and to machines", () => {
    const foreign = "a\u009b31m\u202eb\u001b[2J";
    const [text, json] = [written({ isTTY: true }), written({ json: true })];
    for (const { reporter } of [text, json]) {
      reporter.progress({ ...applied, message: foreign });
      reporter.note(foreign);
      reporter.warn(foreign);
      reporter.failure(new MysqlPingError(foreign), { details: foreign, data: {} });
      reporter.result({ foreign }, `${foreign}\n${foreign}`);
    }
    const said = [...text.out, ...text.err].join("").replaceAll("\r\u001b[K", "");
    const unseen = /(?!\n)[\p{Cc}\p{Cf}]/u;
    expect(said).to.not.match(unseen);
    expect(said.split("a\\u009b31m\\u202eb")).to.have.length(8);
    expect([...json.out, ...json.err].join("")).to.not.match(unseen);
    expect(JSON.parse(json.out.at(-1) ?? "")).to.deep.equal({ foreign });
  });

  it("to a machine: events as JSON lines, and one document with the result or the error", () => {
    const done = written({ json: true });
    done.reporter.progress(applied);
    done.reporter.warn("careful");
    done.reporter.result({ applied: ["AddKeys1"] }, "Applied.");
    expect(done.err.map((line) => JSON.parse(line))).to.deep.equal([applied, { kind: "warning", message: "careful" }]);
    expect(JSON.parse(done.out.join(""))).to.deep.equal({ applied: ["AddKeys1"] });
    const failed = written({ json: true });
    failed.reporter.failure(new MysqlPingError("no answer"), { details: "", data: { left: ["AddKeys1"] } });
    expect(JSON.parse(failed.out.join(""))).to.deep.equal({
      error: { name: "MysqlPingError", code: "ErrPingingMysql", message: "no answer" },
      left: ["AddKeys1"],
    });
  });
});
