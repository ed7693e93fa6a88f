import { inspect } from "node:util";
import { expect } from "chai";
import { ReplyError } from "ioredis";
import { isServerError, isTemporary, toDriverError } from "../../../src/redis/driverErrors.js";

describe("ioredis' errors", () => {
  it("lose the command's arguments", () => {
    const error = Object.assign(new ReplyError("WRONGPASS invalid username-password pair"), {
      command: { name: "auth", args: ["app", "canary"] },
    });
    const copy = toDriverError(error);
    expect(copy).to.include({ driverCode: "WRONGPASS", message: "WRONGPASS invalid username-password pair" });
    expect(inspect(copy, { depth: 9 }) + JSON.stringify(copy)).not.to.include("canary");
  });

  it("lose the arguments that the server repeats for a command it does not know", () => {
    const error = new ReplyError("ERR unknown command `SPUBLISH`, with args beginning with: `chan`, `canary\nx`, ");
    expect(toDriverError(error).message).to.equal("ERR unknown command `SPUBLISH`");
  });

  it("say why all nodes failed, not only that they did", () => {
    const error = Object.assign(new Error("Failed to refresh slots cache."), {
      lastNodeError: Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" }),
    });
    expect(toDriverError(error)).to.include({ driverCode: "ECONNREFUSED" });
  });

  it("are told apart: not now, no, and no answer", () => {
    const temporary = (message: string) => isTemporary(toDriverError(new ReplyError(message)));
    for (const code of ["CLUSTERDOWN", "LOADING", "TRYAGAIN", "MASTERDOWN", "READONLY", "NOREPLICAS"])
      expect(temporary(`${code} some text`), code).to.equal(true);
    for (const code of ["OOM", "NOPERM", "WRONGTYPE", "ERR", "NOAUTH"])
      expect(temporary(`${code} some text`), code).to.equal(false);
    expect(isServerError(new Error("OOM"))).to.equal(false);
    expect(isServerError(new ReplyError("OOM"))).to.equal(true);
  });
});
