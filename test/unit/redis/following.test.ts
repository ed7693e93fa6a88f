import { mock } from "node:test";
import { expect } from "chai";
import type { DriverFactory } from "../../../src/redis/connection.js";
import { Following } from "../../../src/redis/following/following.js";
import type { Topology } from "../../../src/redis/following/topology.js";
import { redisConfig } from "../../integration/redis/openClient.js";
import { recordingLogger } from "../../support/recordingLogger.js";

const TICK_MS = 20;

/** Streams that no server owns yet: their turn in the sweep is to ask again who does. */
class Unowned implements Topology {
  readonly asked: number[] = [];
  #slots = 0;
  readonly slotOf = () => this.#slots++;
  readonly refresh = () => undefined;
  readonly onChange = () => () => undefined;
  readonly ownerOf = (slot: number) => {
    this.asked.push(slot);
    return undefined;
  };
}

describe("The sweep over followed streams", () => {
  let now = 0;
  let tick: () => void;
  let following: Following | undefined;

  beforeEach(() => {
    mock.method(performance, "now", () => now);
    const { setInterval: start } = globalThis;
    mock.method(globalThis, "setInterval", (sweep: () => void) => {
      tick = sweep;
      return start(() => undefined, 1_000_000);
    });
  });

  afterEach(async () => {
    await following?.close();
    mock.restoreAll();
  });

  function follow(streams: number, followSweepMs: number): Unowned {
    const topology = new Unowned();
    const config = redisConfig("cluster", [], { followSweepMs });
    following = new Following(topology, {} as DriverFactory, config, recordingLogger());
    for (let i = 0; i < streams; i += 1) following.follow({ stream: `s${i}`, read: async () => false });
    topology.asked.length = 0;
    return topology;
  }

  /** `ms` pass, with a tick each time `tickMs` have. */
  function pass(ms: number, tickMs = TICK_MS): void {
    for (let passed = 0; passed < ms; passed += tickMs) {
      now += tickMs;
      tick();
    }
  }

  for (const streams of [1, 3, 50])
    it(`has its turn for each of ${streams} in each interval`, () => {
      const { asked } = follow(streams, 1_000);
      pass(10_000);
      for (let slot = 0; slot < streams; slot += 1)
        expect(asked.filter((each) => each === slot)).to.have.length.within(9, 10);
    });

  it("keeps to the interval in a busy process, and has no more than one turn for each at once", () => {
    const { asked } = follow(50, 1_000);
    pass(10_000, 250);
    expect(asked).to.have.length.within(450, 500);
    asked.length = 0;
    pass(60_000, 60_000);
    expect([...asked].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
  });
});
