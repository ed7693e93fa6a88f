import { expect } from "chai";
import { type RedisPatient, redisChecks } from "../../../src/redis/doctor/index.js";

const HOUR_MS = 3_600_000;
const MAX_SECONDS = 20;

/** A server whose keys have no end: each step of SCAN takes a second and finds one more stream, which stays for ever. */
function endless() {
  let seconds = 0;
  const given: string[] = [];
  const answers: Record<string, (key: string) => unknown> = {
    SCAN: (cursor) => {
      seconds += 1;
      return [String(Number(cursor) + 1), [`room-stream:${cursor}`]];
    },
    TYPE: () => "stream",
    PTTL: () => -1,
    PEXPIRE: (key) => given.push(key) && 1,
  };
  const ask = async (name: string, key: string) => answers[name]?.(key);
  return { server: { name: "s", ask }, given, clock: () => seconds * 1_000 };
}

describe("The doctor's --fix for streams without an expiry", () => {
  const { now } = performance;
  afterEach(() => {
    performance.now = now;
  });

  it("ends after 20 s however many there are, and says that some are left", async () => {
    const { server, given, clock } = endless();
    const streams = [{ key: "room-stream:0", type: "stream", ttlMs: -1 }];
    let forgotten = 0;
    const patient = {
      config: { streamTtlMs: 48 * HOUR_MS },
      samples: async () => [{ server, whole: false, streams, odd: [] }],
      forgetSamples: () => {
        forgotten += 1;
      },
    } as unknown as RedisPatient;
    const check = redisChecks.find(({ id }) => id === "redis.expiry");
    const [finding] = [await check?.run(patient, new AbortController().signal)].flat();
    performance.now = clock;
    const fixed = await finding?.fix?.();
    expect(fixed).to.equal(
      `s: ${MAX_SECONDS} stream(s) given an expiry of 48 h; not all keys were looked at in time, so run it again`,
    );
    expect(given).to.have.members(Array.from({ length: MAX_SECONDS }, (_, i) => `room-stream:${i}`));
    expect(forgotten).to.equal(1);
  });
});
