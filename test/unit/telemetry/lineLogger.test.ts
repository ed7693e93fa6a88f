import { expect } from "chai";
import { DriverError, QueryError } from "../../../src/errors.js";
import { lineLogger } from "../../../src/telemetry/lineLogger.js";
import { withLogFields } from "../../../src/telemetry/logFields.js";
import { SlowLines } from "../../../src/telemetry/slowLines.js";
import { recordingLogger } from "../../support/recordingLogger.js";

const ATTACK =
  'm-1\r\n{"level":"error"}\t\u001b[31mred\u001b[0m\u0000\u007f\u0085\u009b2J\u2028\u2029\u202eolleh\u2066';
const ESCAPED =
  'm-1\\r\\n{"level":"error"}\\t\\u001b[31mred\\u001b[0m\\u0000\\u007f\\u0085\\u009b2J\\u2028\\u2029\\u202eolleh\\u2066';

function lines(write: (logger: ReturnType<typeof lineLogger>) => void) {
  const recording = recordingLogger();
  write(lineLogger(recording));
  return recording.lines;
}

describe("lineLogger", () => {
  it("goes on when the logger throws, as one does that was closed", () => {
    const closed = () => {
      throw new Error("the worker has exited");
    };
    const logger = lineLogger({ debug: closed, info: closed, warn: closed, error: closed });
    for (const level of ["debug", "info", "warn", "error"] as const)
      expect(() => logger[level]({ event: "test" }, "a line")).not.to.throw();
  });

  it("escapes what could end a line or steer a terminal, in message, fields and names of fields", () => {
    const [line] = lines((logger) => logger.warn({ event: "x", id: ATTACK, [ATTACK]: 1, list: [{ ATTACK }] }, ATTACK));
    expect(line).to.deep.equal({
      level: "warn",
      fields: { event: "x", id: ESCAPED, [ESCAPED]: 1, list: [{ ATTACK: ESCAPED }] },
      message: ESCAPED,
    });
  });

  it("leaves other text and values as they are", () => {
    const fields = { text: "é 会議 👋 \\n", n: 1, big: 1n, yes: true, none: undefined, nothing: null };
    for (const level of ["debug", "info", "warn", "error"] as const)
      expect(lines((logger) => logger[level](fields, "ok"))).to.deep.equal([{ level, fields, message: "ok" }]);
  });

  it("shows of an error what it says of itself, and of a foreign one no more than name and message", () => {
    const own = new QueryError(new DriverError("gone", { driverCode: "PROTOCOL_CONNECTION_LOST" }));
    const foreign = Object.assign(new TypeError("bad\nvalue"), { sql: "SELECT 'secret'" });
    const [line] = lines((logger) => logger.error({ own, foreign }, "failed"));
    expect(line?.fields).to.have.nested.property("own.cause.driverCode", "PROTOCOL_CONNECTION_LOST");
    expect(line?.fields).to.have.deep.property("foreign", { name: "TypeError", message: "bad\\nvalue" });
    expect(JSON.stringify(line)).to.not.contain("secret");
  });

  it("comes to an end with what holds itself", () => {
    const endless: { self?: unknown } = {};
    endless.self = endless;
    expect(JSON.stringify(lines((logger) => logger.info(endless, "x")))).to.contain("…");
  });

  it("is not wrapped twice", () => {
    const logger = lineLogger(recordingLogger());
    expect(lineLogger(logger)).to.equal(logger);
  });

  it("carries the fields of the work it is called in, the inner ones first, the line's own before all", async () => {
    const recording = recordingLogger();
    const logger = lineLogger(recording);
    await withLogFields({ requestId: "r\n1", tenant: "acme", event: "theirs" }, async () => {
      await Promise.resolve();
      withLogFields({ tenant: "inner" }, () => logger.info({ event: "ours" }, "x"));
    });
    logger.info({ event: "outside" }, "y");
    expect(recording.lines.map(({ fields }) => fields)).to.deep.equal([
      { requestId: "r\\n1", tenant: "inner", event: "ours" },
      { event: "outside" },
    ]);
  });
});

describe("the lines about slow operations", () => {
  it("are one a second for each operation, and say how many were left out", () => {
    const logger = recordingLogger();
    const slow = new SlowLines(logger, "mysql", 1_000);
    expect(slow.thresholdMs).to.equal(1_000);
    for (let i = 0; i < 5; i += 1) slow.tell("meetings.create", 1_234.5);
    slow.tell("fleet.allocate", 2_000, new TypeError("x"));
    expect(logger.lines).to.deep.equal([
      {
        level: "warn",
        fields: { event: "mysql.slow", operation: "meetings.create", ms: 1_235 },
        message: "meetings.create took 1235 ms",
      },
      {
        level: "warn",
        fields: { event: "mysql.slow", operation: "fleet.allocate", ms: 2_000, error: "TypeError", untold: 4 },
        message: "fleet.allocate took 2000 ms",
      },
    ]);
  });

  it("are none with 0", () => {
    expect(new SlowLines(recordingLogger(), "redis", 0).thresholdMs).to.equal(Number.POSITIVE_INFINITY);
  });
});
