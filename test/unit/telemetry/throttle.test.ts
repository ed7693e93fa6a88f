import { mock } from "node:test";
import { expect } from "chai";
import { Throttle } from "../../../src/telemetry/throttle.js";

describe("Throttle", () => {
  let now = 0;

  beforeEach(() => {
    mock.method(performance, "now", () => now);
  });

  afterEach(() => mock.restoreAll());

  it("lets the same trouble be told once in a while, and others beside it", () => {
    now = 5;
    const throttle = new Throttle(100);
    expect([throttle.allows("a"), throttle.allows("a"), throttle.allows("b")]).to.deep.equal([true, false, true]);
    now = 104;
    expect(throttle.allows("a")).to.equal(false);
    now = 105;
    expect([throttle.allows("a"), throttle.allows("a")]).to.deep.equal([true, false]);
  });

  it("remembers a bounded number of troubles", () => {
    const throttle = new Throttle();
    for (let i = 0; i < 100; i += 1) throttle.allows(`${i}`);
    expect(throttle.allows("0")).to.equal(false);
    throttle.allows("one too many");
    expect(throttle.allows("0")).to.equal(true);
  });
});
