import { expect } from "chai";
import type { Check, Finding } from "../../../src/doctor/check.js";
import { type ExaminationOptions, examine, type Patient, worstOf } from "../../../src/doctor/runner.js";
import { ClientNilError, DriverError, QueryError } from "../../../src/errors.js";

class Subject implements Patient {
  closed = 0;
  rows = 3;
  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

type Run = Check<Subject>["run"];
const check = (id: string, run: Run, needs: readonly string[] = []): Check<Subject> => ({
  id,
  title: `${id}?`,
  needs,
  run,
});
const found =
  (verdict: Finding["verdict"], saw = verdict): Run =>
  () =>
    Promise.resolve({ verdict, saw, ...(verdict !== "ok" && { advice: "do this" }) });
const silence: Run = () => new Promise(() => undefined);

async function run(checks: readonly Check<Subject>[], options: ExaminationOptions = {}, subject = new Subject()) {
  const reports = await examine("mysql", checks, subject, options);
  expect(subject.closed).to.equal(1);
  return reports;
}

describe("the doctor's runner", () => {
  it("reports each finding with its check and store, and advice in one line", async () => {
    const several: Run = () =>
      Promise.resolve([
        { verdict: "ok", saw: "a" },
        { verdict: "warning", saw: "b\nc", advice: "first\nthen" },
      ]);
    expect(await run([check("x", several)])).to.deep.equal([
      { id: "x", title: "x?", store: "mysql", verdict: "ok", saw: "a" },
      { id: "x", title: "x?", store: "mysql", verdict: "warning", saw: "b c", advice: "first then" },
    ]);
  });

  it("skips what needs a check that failed, was skipped or is not there; a warning, or one finding of several, is enough", async () => {
    const asked: string[] = [];
    const noted = (id: string, needs: readonly string[]) =>
      check(
        id,
        (...given) => {
          asked.push(id);
          return found("ok")(...given);
        },
        needs,
      );
    const reports = await run([
      check("warned", found("warning")),
      check("broken", found("failed")),
      check("partly", async () => [
        { verdict: "ok", saw: "one server" },
        { verdict: "failed", saw: "the other", advice: "do this" },
      ]),
      noted("a", ["warned", "partly"]),
      noted("b", ["warned", "broken"]),
      noted("c", ["b"]),
      noted("d", ["nobody"]),
    ]);
    expect(asked).to.deep.equal(["a"]);
    expect(reports.slice(5).map(({ verdict, saw }) => `${verdict}: ${saw}`)).to.deep.equal([
      "skipped: needs broken",
      "skipped: needs b",
      "skipped: needs nobody",
    ]);
  });

  it("ends a check at its deadline, tells it by its signal, and goes on", async () => {
    let signal: AbortSignal | undefined;
    const frozen: Run = (_, given) => {
      signal = given;
      return new Promise(() => undefined);
    };
    const [late, next] = await run([check("frozen", frozen), check("next", found("ok"))], { timeoutMs: 20 });
    expect(late).to.include({ verdict: "failed", saw: "There was no answer within 20 ms" });
    expect(late?.advice).to.include("--timeout");
    expect(signal?.aborted).to.equal(true);
    expect(next?.verdict).to.equal("ok");
  });

  it("takes what a check throws for a failure, and shows no text that is not this package's", async () => {
    const throwing =
      (error: unknown): Run =>
      () =>
        Promise.reject(error);
    const foreign = Object.assign(new TypeError("password=hunter2"), { code: "ERR_X" });
    const [ours, theirs, thrown] = await run([
      check("ours", throwing(new ClientNilError("redis", "stopped"))),
      check("theirs", throwing(foreign)),
      check("sync", () => {
        throw new QueryError(new DriverError("Denied"));
      }),
    ]);
    expect(ours?.saw).to.include("container.redis is not available");
    expect(theirs).to.include({ verdict: "failed", saw: "an unexpected TypeError (ERR_X)" });
    expect(thrown).to.include({ verdict: "failed", saw: "Denied" });
    for (const report of [ours, theirs, thrown]) expect(report?.advice).to.match(/\S/);
  });

  it("asks the patient what to do about what was thrown", async () => {
    const subject = Object.assign(new Subject(), { advise: (error: unknown) => `about ${(error as Error).message}` });
    const [report] = await run([check("x", () => Promise.reject(new QueryError(new DriverError("it"))))], {}, subject);
    expect(report?.advice).to.equal("about it");
  });

  describe("mending", () => {
    const rows: Run = (subject) => {
      if (subject.rows === 0) return Promise.resolve({ verdict: "ok", saw: "none" });
      const fix = () => {
        subject.rows = 0;
        return Promise.resolve("removed all");
      };
      return Promise.resolve({ verdict: "warning", saw: `${subject.rows} rows`, advice: "--fix", fix });
    };

    it("happens only when it is asked for", async () => {
      const subject = new Subject();
      expect((await run([check("rows", rows)], {}, subject))[0]).to.include({ verdict: "warning", saw: "3 rows" });
      expect(subject.rows).to.equal(3);
    });

    it("is judged by a second look", async () => {
      const [mended] = await run([check("rows", rows)], { fix: true });
      expect(mended).to.deep.include({ verdict: "ok", saw: "none", fixed: "removed all" });
      const stubborn: Run = () =>
        Promise.resolve({ verdict: "failed", saw: "still", advice: "x", fix: () => Promise.resolve("tried") });
      expect((await run([check("s", stubborn)], { fix: true }))[0]).to.deep.include({
        verdict: "failed",
        fixed: "tried",
      });
    });

    it("that fails or takes too long leaves the finding, and says so", async () => {
      const failing =
        (fix: () => Promise<string>): Run =>
        () =>
          Promise.resolve({ verdict: "warning", saw: "rows", advice: "x", fix });
      const checks = [
        check(
          "fails",
          failing(() => Promise.reject(new QueryError(new DriverError("no right")))),
        ),
        check(
          "hangs",
          failing(() => new Promise(() => undefined)),
        ),
      ];
      const [fails, hangs] = await run(checks, { fix: true, fixTimeoutMs: 20 });
      expect(fails).to.include({ verdict: "warning", saw: "rows", advice: "It could not be mended: no right" });
      expect(hangs?.advice).to.equal("It could not be mended: There was no answer within 20 ms");
      expect(fails).not.to.have.property("fixed");
    });
  });

  it("tells progress, and stops where it is told to", async () => {
    const stop = new AbortController();
    const begun: string[] = [];
    const onProgress = ({ id }: { id: string }) => {
      begun.push(id);
      if (id === "b") stop.abort();
    };
    const checks = [check("a", found("ok")), check("b", silence), check("c", found("ok"))];
    const reports = await run(checks, { onProgress, signal: stop.signal });
    expect(begun).to.deep.equal(["a", "b"]);
    expect(reports.map(({ verdict }) => verdict)).to.deep.equal(["ok", "failed", "skipped"]);
  });

  it("knows the worst of verdicts; what was skipped is no reason to worry", () => {
    expect(worstOf([])).to.equal("ok");
    expect(worstOf(["ok", "skipped"])).to.equal("ok");
    expect(worstOf(["warning", "skipped", "ok"])).to.equal("warning");
    expect(worstOf(["warning", "failed", "ok"])).to.equal("failed");
  });
});
