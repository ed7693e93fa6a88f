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

  it("is fresh for a twentieth of its time once it was set, and of no other time", async () => {
    const expiry = new StreamExpiry({} as RedisClient, { maxInFlight: 10, poolTimeoutMs: 100 }, recordingLogger());
    const set = (key: string, ttlMs: number) =>
      expiry.renew(key, ttlMs, async (follower) => follower.settled(1)).then(() => new Promise(setImmediate));
    expect(expiry.isFresh("s", 3_600_000)).to.equal(false);
    await set("s", 3_600_000);
    expect(expiry.isFresh("s", 3_600_000)).to.equal(true);
    expect(expiry.isFresh("s", 1_000)).to.equal(false);
    expect(expiry.isFresh("other", 3_600_000)).to.equal(false);
    expiry.forget("s");
    expect(expiry.isFresh("s", 3_600_000)).to.equal(false);
    await set("short", 40);
    const end = performance.now() + 2;
    while (performance.now() < end);
    expect(expiry.isFresh("short", 40)).to.equal(false);
  });

  it("is remembered of the streams that were set last, up to a bound", async () => {
    const expiry = new StreamExpiry({} as RedisClient, { maxInFlight: 10, poolTimeoutMs: 100 }, recordingLogger());
    const count = 60_000;
    for (let i = 0; i < count; i += 1) void expiry.renew(`s${i}`, 3_600_000, async (follower) => follower.settled(1));
    await new Promise(setImmediate);
    const fresh = Array.from({ length: count }, (_, i) => expiry.isFresh(`s${i}`, 3_600_000));
    expect(fresh.lastIndexOf(false)).to.equal(9_999);
    expect(fresh.indexOf(true)).to.equal(10_000);
  });
});
