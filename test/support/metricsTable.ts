import { METRICS, type MetricDefinition, prometheusLabel, prometheusName } from "../../src/telemetry/metrics.js";

/** The table of metrics in docs/metrics.md, as markdown. `npm run metrics` puts it there. */
export function metricsTable(): string {
  const rows = Object.values(METRICS).map((metric: MetricDefinition) => {
    const labels = metric.attributes.map((attribute) => code(prometheusLabel(attribute)));
    const names = [code(prometheusName(metric)), code(metric.name)];
    return `| ${[...names, metric.kind, code(metric.unit), labels.join(", "), metric.description].join(" | ")} |`;
  });
  return [
    "| Prometheus | OpenTelemetry | kind | unit | labels | what it tells |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

const TABLE = /(<!-- metrics -->\n)([\s\S]*?)(\n<!-- \/metrics -->)/;

export function tableIn(page: string): string | undefined {
  return TABLE.exec(page)?.[2];
}

export function withTable(page: string): string {
  return page.replace(TABLE, (_, begin: string, __, end: string) => begin + metricsTable() + end);
}
