import { expect } from "chai";
import { BackpressureError, DriverError, NotStoredError, RedisCommandError } from "../../../../src/errors.js";
import { CommandMetrics } from "../../../../src/redis/telemetry/commandMetrics.js";
import { driverErrorType, errorType } from "../../../../src/redis/telemetry/errorTypes.js";
import { METRICS } from "../../../../src/telemetry/metrics.js";
import { RecordedTelemetry } from "../../../support/recordedTelemetry.js";

/** Metrics of which nothing is recorded yet but that nobody was refused. */
function newMetrics() {
  const recorded = new RecordedTelemetry();
  const metrics = new CommandMetrics(recorded.instruments());
  const pool = { "db.client.connection.pool.name": "redis" };
  expect(recorded.records.splice(0)).to.deep.equal([
    { metric: METRICS.connectionTimeouts, value: 0, attributes: pool },
  ]);
  return { recorded, metrics };
}

describe("Metrics of commands", () => {
  const refusals: [string, string | undefined][] = [
    ["MOVED 866 127.0.0.1:7001", "MOVED"],
    ["ASK 866 127.0.0.1:7001", "ASK"],
    ["TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN"],
    ["CLUSTERDOWN The cluster is down", "CLUSTERDOWN"],
    ["ASKING is not what was meant", undefined],
    ["ERR MOVED 1 is somebody's text", undefined],
  ];
  for (const [message, kind] of refusals) {
    it(`count as a redirection of kind ${kind}: ${message}`, () => {
      const { recorded, metrics } = newMetrics();
      metrics.refused(new Error(message));
      const expected = kind ? [{ metric: METRICS.redisRedirections, value: 1, attributes: { kind } }] : [];
      expect(recorded.records).to.deep.equal(expected);
    });
  }

  it("name commands by a bounded set, however they are written", () => {
    const { recorded, metrics } = newMetrics();
    for (const name of ["XADD", "xadd", "MY.COMMAND", "__proto__"]) metrics.over(name, performance.now());
    const names = recorded.records.map(({ attributes }) => attributes["db.operation.name"]);
    expect(names).to.deep.equal(["XADD", "XADD", "other", "other"]);
  });

  it("name errors by a bounded set", () => {
    const driver = (driverCode?: string) => new DriverError("m", driverCode === undefined ? {} : { driverCode });
    const codes = [undefined, "ECONNRESET", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID", "EPROTO", "MYCODE"];
    const kinds = codes.map((code) => driverErrorType(driver(code)));
    expect(kinds).to.deep.equal(["closed", "ECONNRESET", "TLS", "TLS", "TLS", "other"]);
    const errors = [
      new RedisCommandError("XADD", driver("NOPERM")),
      new NotStoredError("m"),
      new BackpressureError("m"),
      new TypeError("m"),
    ];
    expect(errors.map(errorType)).to.deep.equal(["NOPERM", "ErrNotStored", "ErrBackpressure", "other"]);
  });
});
