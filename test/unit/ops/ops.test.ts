import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { parse } from "yaml";
import { METRICS } from "../../../src/telemetry/metrics.js";
import { lookThrough } from "../../support/promql.js";

const OPS = fileURLToPath(new URL("../../../ops/", import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
}

describe("lookThrough, which the tests of ops/ stand on", () => {
  it("finds metrics, under Prometheus' name for them", () => {
    const { metrics, problems } = lookThrough(
      'histogram_quantile(0.9, sum by (le, job) (rate(db_client_operation_duration_seconds_bucket{error_type!=""}[5m]))) > 2 * doordarshan_redis_commands_queued_bytes',
    );
    expect({ metrics, problems }).to.deep.equal({
      metrics: ["db.client.operation.duration", "doordarshan.redis.commands.queued"],
      problems: [],
    });
  });

  for (const [expression, problem] of [
    ["doordarshan_transactions", "no metric doordarshan_transactions"],
    ["db_client_operation_duration_seconds", "no metric db_client_operation_duration_seconds"],
    ['doordarshan_transactions_total{outcom="x"}', "no label outcom"],
    ['db_client_operation_duration_seconds_count{le="1"}', "no label le"],
    ["sum by (tenant) (doordarshan_transactions_total)", "no label tenant"],
    ["sum(doordarshan_transactions_total) by (tenant)", "no label tenant"],
    ["doordarshan_container_ready and on (tenant) doordarshan_fleet_containers", "no label tenant"],
    ["rate(doordarshan_fleet_containers[5m])", "rate of a gauge: rate(doordarshan_fleet_containers[5m])"],
    ["sum(doordarshan_container_ready", "cannot be read at 31"],
    ["doordarshan_container_ready >", "cannot be read at 29"],
  ] as const)
    it(`refuses ${expression}`, () => expect(lookThrough(expression).problems).to.include(problem));
});

describe("ops/prometheus/alerts.yml", () => {
  const { groups } = parse(readFileSync(`${OPS}prometheus/alerts.yml`, "utf8")) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  it("names each alert once", () => {
    expect(rules.length).to.be.at.least(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(rules.length);
  });

  for (const { alert, expr, labels, annotations } of rules) {
    it(`${alert} asks for what exists, and says what it is and what to do`, () => {
      const { metrics, problems } = lookThrough(expr);
      expect(problems).to.deep.equal([]);
      expect(metrics).not.to.deep.equal([]);
      expect(labels.severity).to.be.oneOf(["critical", "warning", "info"]);
      expect(annotations).to.have.all.keys("summary", "description", "runbook");
      for (const text of Object.values(annotations))
        for (const [, label] of text.matchAll(/\$labels\.(\w+)/g))
          expect(lookThrough(expr).labels, text).to.include(label);
    });
  }

  it("does what alerts.test.yml says", async function () {
    const promtool = (...args: string[]) => promisify(execFile)("promtool", args, { cwd: `${OPS}prometheus` });
    const installed = await promtool("--version").catch(({ code }) => {
      expect(code).to.equal("ENOENT");
    });
    // Prometheus' own tool is no npm package; where it is not installed, the expressions are still looked through above.
    if (!installed) return this.skip();
    await promtool("check", "rules", "alerts.yml");
    await promtool("test", "rules", "alerts.test.yml");
  });
});

describe("ops/grafana/doordarshan-data.json", () => {
  const dashboard = JSON.parse(readFileSync(`${OPS}grafana/doordarshan-data.json`, "utf8")) as Dashboard;
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  /** As Grafana does before it asks. */
  const filledIn = (expr: string) => expr.replaceAll("$__rate_interval", "5m");

  it("has the variables that it uses, on metrics that exist", () => {
    const { list } = dashboard.templating;
    expect(list.map(({ name }) => name)).to.deep.equal(["datasource", "job", "instance"]);
    for (const { definition } of list.filter(({ type }) => type === "query")) {
      const [, expression, label] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? "") ?? [];
      expect(lookThrough(expression ?? "").problems).to.deep.equal([]);
      expect(["job", "instance"]).to.include(label);
    }
    for (const { datasource } of panels) expect(datasource?.uid).to.match(/^\$\{datasource\}$/);
    const used = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name)),
    );
    expect([...new Set(used)]).to.have.members(["job", "instance", "__rate_interval"]);
  });

  it("has no two panels in one place", () => {
    const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(places).size).to.equal(places.length);
  });

  for (const { title, targets = [], gridPos } of panels)
    it(`${title} (row ${gridPos.y}) asks for what exists`, () => {
      expect(targets).not.to.deep.equal([]);
      for (const { expr, legendFormat } of targets) {
        const { metrics, labels, problems } = lookThrough(filledIn(expr));
        expect(problems).to.deep.equal([]);
        expect(metrics).not.to.deep.equal([]);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(labels).to.include(label);
      }
    });

  it("shows every metric there is", () => {
    const shown = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => lookThrough(filledIn(expr)).metrics),
    );
    expect([...new Set(shown)]).to.have.members(Object.values(METRICS).map(({ name }) => name));
  });
});
