import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import { QueryFailedError } from "typeorm";
import { DeadlineExceededError, DriverError, QueryError, ReadOnlyError } from "../../../src/errors.js";
import { isRetryable, saysNotCommitted, toDataError } from "../../../src/mysql/driverErrors.js";

const fromServer = (errno: number, message: string) =>
  Object.assign(new Error(message), {
    errno,
    sqlState: "HY000",
    code: "ER_X",
    sql: "SELECT 'canary'",
    sqlMessage: message,
  });

describe("driver errors", () => {
  it("are classified by number", () => {
    for (const errno of [1290, 1792, 1836]) expect(toDataError(fromServer(errno, ""))).to.be.instanceOf(ReadOnlyError);
    for (const errno of [3024, 1969])
      expect(toDataError(fromServer(errno, ""))).to.be.instanceOf(DeadlineExceededError);
    for (const errno of [1213, 1205, 1020]) expect(isRetryable(toDataError(fromServer(errno, "")))).to.equal(true);
    for (const errno of [1062, 1064, 1317, 1180]) {
      const error = toDataError(fromServer(errno, ""));
      expect(error).to.be.instanceOf(QueryError).and.include({ errno, sqlState: "HY000", driverCode: "ER_X" });
      expect(isRetryable(error)).to.equal(false);
      expect(saysNotCommitted(error)).to.equal(false);
    }
  });

  it("keep a system error's code and text", () => {
    const error = toDataError(
      Object.assign(new Error("connect ECONNREFUSED ::1:1"), { errno: -111, code: "ECONNREFUSED" }),
    );
    expect(error).to.include({ message: "connect ECONNREFUSED ::1:1", driverCode: "ECONNREFUSED" });
    expect(error.cause).to.be.instanceOf(DriverError);
  });

  it("keep names where a message has only names, and a duplicate's key", () => {
    const kept = "Unknown column 'x' in 'field list'";
    expect(toDataError(fromServer(1054, kept)).message).to.equal(kept);
    const definer = "The user specified as a definer ('migrator'@'%') does not exist";
    expect(toDataError(fromServer(1449, definer)).message).to.equal(definer);
    const duplicate = fromServer(1062, "Duplicate entry 'it's for key 'y'\nz' for key 't.PRIMARY'");
    expect(toDataError(duplicate).message).to.equal("Duplicate entry '…' for key 't.PRIMARY'");
  });

  it("lose every literal, the statement and the parameters, whatever the literal", () => {
    const patterns = [
      (value: string) => fromServer(1062, `Duplicate entry '${value}' for key 'k'`),
      (value: string) => fromServer(1064, `You have an error near '${value}' at line 1`),
      (value: string) => fromServer(1366, `Incorrect string value: '${value}' for column \`d\`.\`t\`.\`c\` at row 1`),
      // Cut by the server at 512 bytes, so that the closing quote is missing.
      (value: string) => fromServer(1690, `BIGINT value is out of range in '${`${value} `.repeat(100)}`.slice(0, 511)),
      (value: string) => fromServer(1105, `Something near '${value.replace(/['"]/g, "")}`),
      (value: string) => fromServer(1644, `it is ${value}`),
      (value: string) => fromServer(1526, `Table has no partition for value ${value}`),
      (value: string) => fromServer(3140, `Invalid JSON text: "${value}" at position 1`),
    ];
    const value = fc.string({ unit: fc.constantFrom("'", '"', "\n", " for key '", "a", "`", ")") });
    fc.assert(
      fc.property(fc.constantFrom(...patterns), value, value, (pattern, before, after) => {
        const raw = pattern(`${before}canary${after}`);
        const error = toDataError(new QueryFailedError("SELECT 'canary'", ["canary"], raw));
        for (const text of [error.message, error.stack, inspect(error, { depth: 9 }), JSON.stringify(error)])
          expect(text).to.not.contain("canary");
      }),
    );
  });

  it("come from anything thrown", () => {
    for (const thrown of [undefined, null, "text", 7, {}]) expect(toDataError(thrown)).to.be.instanceOf(QueryError);
    const ours = new QueryError(new DriverError("x"));
    expect(toDataError(ours)).to.equal(ours);
    expect(toDataError(new QueryFailedError("", [], ours))).to.equal(ours);
  });
});
