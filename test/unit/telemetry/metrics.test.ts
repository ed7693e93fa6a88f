import { readFileSync } from "node:fs";
import { expect } from "chai";
import { METRICS, type MetricDefinition, prometheusLabel, prometheusName } from "../../../src/telemetry/metrics.js";
import { metricsTable, tableIn } from "../../support/metricsTable.js";

const all: readonly MetricDefinition[] = Object.values(METRICS);

describe("the table of metrics", () => {
  it("stands in docs/metrics.md as it is in the code", () => {
    const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    expect(tableIn(page), "stale: npm run metrics").to.equal(metricsTable());
  });

  it("has names that are OpenTelemetry's, or begin with ours, and are taken once by either side", () => {
    for (const { name } of all) expect(name).to.match(/^(db\.client|doordarshan)(\.[a-z][a-z_]*)+$/);
    expect(new Set(all.map(({ name }) => name)).size).to.equal(all.length);
    expect(new Set(all.map(prometheusName)).size).to.equal(all.length);
  });

  it("has names and labels that Prometheus takes, with the unit and the kind as it wants them", () => {
    for (const metric of all) {
      const name = prometheusName(metric);
      expect(name).to.match(/^[a-z][a-z0-9_]*$/);
      expect(name.endsWith("_total")).to.equal(metric.kind === "counter");
      if (metric.unit === "s") expect(name).to.match(/_seconds$/);
      if (metric.unit === "By") expect(name).to.match(/_bytes$/);
      // Any other unit would become a part of the name on the way through an OpenTelemetry collector.
      expect(metric.unit).to.match(/^(s|By|\{[a-z]+\})$/);
      for (const label of metric.attributes.map(prometheusLabel)) expect(label).to.match(/^[a-z][a-z0-9_]*$/);
      expect(new Set(metric.attributes.map(prometheusLabel)).size).to.equal(metric.attributes.length);
    }
  });

  it("has no attribute that is an id, and buckets that grow", () => {
    for (const { attributes, buckets = [] } of all) {
      for (const attribute of attributes) expect(attribute).not.to.match(/id$/i);
      expect([...buckets].sort((a, b) => a - b)).to.deep.equal(buckets);
      expect(new Set(buckets).size).to.equal(buckets.length);
    }
  });
});
