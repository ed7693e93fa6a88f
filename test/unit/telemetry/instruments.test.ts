import { expect } from "chai";
import { Instruments } from "../../../src/telemetry/instruments.js";
import { METRICS } from "../../../src/telemetry/metrics.js";
import type { Recorder, Recorders, Telemetry } from "../../../src/telemetry/telemetry.js";

const backend = (recorders: Recorders): Telemetry => ({
  metrics: { counter: () => recorders, histogram: () => recorders, gauge: () => () => undefined },
});

describe("Instruments", () => {
  it("lets no backend's error reach the work that is measured, nor keep events from another backend", () => {
    const failing = () => {
      throw new Error("backend");
    };
    const recorded: number[] = [];
    const listening: Recorder = (value) => recorded.push(value);
    for (const recorders of [failing, () => failing] satisfies Recorders[]) {
      for (const telemetry of [[backend(recorders)], [backend(recorders), backend(() => listening)]]) {
        const instruments = new Instruments(telemetry);
        instruments.count(METRICS.deadLetters);
        instruments.record(METRICS.publishDuration, 2);
        const record = instruments.recorder(METRICS.publishDuration, { operation: "publish" });
        record(3);
        record(4);
      }
    }
    expect(recorded).to.deep.equal([1, 2, 3, 4, 1, 2, 3, 4]);
  });
});
