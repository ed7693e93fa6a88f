import { parser } from "@prometheus-io/lezer-promql";
import { METRICS, type MetricDefinition, prometheusLabel, prometheusName } from "../../src/telemetry/metrics.js";

/** What Prometheus adds to each series of a target. */
const TARGET_LABELS = ["job", "instance"];
const OF_RATES = new Set(["rate", "irate", "increase"]);

type Tree = ReturnType<typeof parser.parse>;
type Node = Tree["topNode"];

interface Series {
  readonly definition: MetricDefinition;
  readonly labels: readonly string[];
}

/** Every series that the package can have, by its name: of a histogram there are three. */
const SERIES: ReadonlyMap<string, Series> = new Map(Object.values(METRICS).flatMap(seriesOf));

function seriesOf(definition: MetricDefinition): [string, Series][] {
  const name = prometheusName(definition);
  const labels = [...TARGET_LABELS, ...definition.attributes.map(prometheusLabel)];
  if (definition.kind !== "histogram") return [[name, { definition, labels }]];
  return [
    [`${name}_bucket`, { definition, labels: [...labels, "le"] }],
    [`${name}_sum`, { definition, labels }],
    [`${name}_count`, { definition, labels }],
  ];
}

/** The metrics that an expression asks for, by OpenTelemetry's name, and what is wrong with it. */
export function lookThrough(expression: string): { metrics: string[]; labels: string[]; problems: string[] } {
  const tree = parser.parse(expression);
  const text = ({ from, to }: { from: number; to: number }) => expression.slice(from, to);
  const metrics = new Set<string>();
  const labels = new Set<string>();
  const problems: string[] = [];

  const seriesIn = (node: Node): (Series | undefined)[] =>
    descendants(node, "VectorSelector").map((selector) =>
      SERIES.get(text(selector.getChild("Identifier") ?? selector)),
    );
  const require = (names: readonly Node[], series: readonly (Series | undefined)[]) => {
    for (const name of names.map(text)) {
      labels.add(name);
      if (!series.every((one) => one?.labels.includes(name))) problems.push(`no label ${name}`);
    }
  };

  for (const node of descendants(tree.topNode)) {
    if (node.type.isError) problems.push(`cannot be read at ${node.from}`);
    if (node.name === "VectorSelector") {
      const name = text(node.getChild("Identifier") ?? node);
      const series = SERIES.get(name);
      if (series) metrics.add(series.definition.name);
      else problems.push(`no metric ${name}`);
      require(descendants(node, "LabelName"), [series]);
    }
    // What an aggregation or a match keeps, each series in it must have.
    if (node.name === "GroupingLabels") require(descendants(node, "LabelName"), seriesIn(scopeOf(node)));
    if (node.name === "FunctionCall" && OF_RATES.has(text(node.getChild("FunctionIdentifier") ?? node)))
      if (seriesIn(node).some((series) => series?.definition.kind === "gauge"))
        problems.push(`rate of a gauge: ${text(node)}`);
  }
  return { metrics: [...metrics], labels: [...labels], problems };
}

function descendants(node: Node, name?: string): Node[] {
  const found: Node[] = [];
  node.cursor().iterate((each) => {
    if (name === undefined || each.name === name) found.push(each.node);
  });
  return found;
}

/** The aggregation or the operation that the labels belong to. */
function scopeOf(labels: Node): Node {
  let node = labels;
  while (node.parent && node.name !== "AggregateExpr" && node.name !== "BinaryExpr") node = node.parent;
  return node;
}
