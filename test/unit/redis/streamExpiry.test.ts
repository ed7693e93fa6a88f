import { expect } from "chai";
import { NotStoredError, PublishUnknownError } from "../../../src/errors.js";
import type { RedisClient } from "../../../src/redis/client.js";
import { StreamExpiry } from "../../../src/redis/streamExpiry.js";
import { recordingLogger } from "../../support/recordingLogger.js";

/** Renews once, with PEXPIRE's reply behind the push and the outcome of a repetition; tells how often it was repeated and what was warned of. */
async function renew(push: () => Promise<unknown>, reply: unknown, repeated: () => Promise<unknown> = async () => 1) {
  let repetitions = 0;
  const client = {
    send: () => {
      repetitions += 1;
      return repeated();
    },
  } as unknown as RedisClient;
  const logger = recordingLogger();
  const expiry = new StreamExpiry(client, { maxInFlight: 10, poolTimeoutMs: 100 }, logger);
  const outcome = await expiry
    .renew("s", 1_000, (follower) => {
      expect(follower).to.deep.include({ command: "PEXPIRE", args: ["s", 1_000] });
      follower.settled(reply);
      return push();
    })
    .catch((error: Error) => error.name);
  await new Promise(setImmediate);
  return { outcome, repetitions, warnings: logger.lines.map(({ message }) => message) };
}

describe("A stream's expiry", () => {
  const stored = async () => "1-0";
  const failing = (error: Error) => async () => {
    throw error;
  };

  it("costs one PEXPIRE when that works", async () => {
    expect(await renew(stored, 1)).to.deep.equal({ outcome: "1-0", repetitions: 0, warnings: [] });
  });

  it("is set again when PEXPIRE came before the entry", async () => {
    expect((await renew(stored, 0)).repetitions).to.equal(1);
  });

  it("is set again when PEXPIRE failed, also if the entry may be stored", async () => {
    expect((await renew(stored, undefined)).repetitions).to.equal(1);
    const unknown = await renew(failing(new PublishUnknownError("x")), undefined);
    expect(unknown).to.include({ outcome: "PublishUnknownError", repetitions: 1 });
  });

  it("is left alone when nothing was stored", async () => {
    const result = await renew(failing(new NotStoredError("x")), undefined);
    expect(result).to.deep.equal({ outcome: "NotStoredError", repetitions: 0, warnings: [] });
  });

  it("is warned of when it cannot be set, and fails nobody", async () => {
    const { outcome, warnings } = await renew(stored, undefined, failing(new Error("the connection is closed")));
    expect(outcome).to.equal("1-0");
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/expiry could not be set.*the connection is closed/);
  });
});
