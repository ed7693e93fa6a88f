import { measureTogether, medianOf, ratioOf, type Times } from "./measure.js";
import { keep, machine } from "./results.js";
import { step } from "./steps.js";
import { type Line, tableOf, times } from "./table.js";
import { openTelemetryGround, type RoundRequest, type TelemetryGround, WAYS, type Way } from "./telemetryGround.js";

/** Short and many: what slows a moment down then slows few pairs down. */
const ROUNDS = { rounds: 200, calls: 1 };
const BAR = 0.97;
/** The bar is for metrics; spans are for sampling. */
const JUDGED: readonly Way[] = ["prometheus", "openTelemetry", "openTelemetry, histogramProducer"];

const FIND_HOST: RoundRequest = { operation: "findHost", calls: 500, callers: 100 };
const PUBLISH: RoundRequest = { operation: "publish", calls: 4_000, callers: 100 };

/** Measures what telemetry costs the throughput of a cheap statement and of publishing, against the same without it in the same process. */
export async function benchTelemetry(): Promise<void> {
  const ground = await openTelemetryGround();
  try {
    const lines = [
      ...(await step("what telemetry costs a statement", () => compare(ground, FIND_HOST))),
      ...(await step("what telemetry costs publishing", () => compare(ground, PUBLISH))),
    ];
    const { mysql, redis } = ground.versions;
    const engine = mysql.includes("MariaDB") ? "MariaDB" : "MySQL";
    const versions = `${engine} ${mysql.replace(/-.*/, "")}, Redis ${redis}`;
    const section = [`## ${engine}`, "", machine(versions), "", tableOf(lines), ""].join("\n");
    console.log(section);
    await keep("telemetry", "What telemetry costs", engine, section);
  } finally {
    await ground.close();
  }
}

async function compare(ground: TelemetryGround, request: RoundRequest): Promise<Line[]> {
  const lines: Line[] = [];
  for (const way of WAYS) {
    const contender = (on: boolean) => ({ run: () => ground.run(way, { ...request, on }) });
    const { on, off } = await measureTogether({ on: contender(true), off: contender(false) }, ROUNDS);
    lines.push(line(way, request, on, off));
  }
  return lines;
}

function line(way: Way, { operation, calls, callers }: RoundRequest, on: Times, off: Times): Line {
  // Of throughput: the inverse of the times'.
  const ratio = 1 / ratioOf(on, off);
  const judged = JUDGED.includes(way);
  return {
    operation: `${operation}, ${callers} callers, ${way}`,
    ours: perSecond(on, calls),
    other: `off: ${perSecond(off, calls)}`,
    ratio: times(ratio),
    bar: judged ? `≥ ${BAR} ×` : "",
    ...(judged && { passed: ratio >= BAR }),
  };
}

function perSecond(measured: Times, calls: number): string {
  return `${((calls / medianOf(measured)) * 1e3).toFixed(0)} /s`;
}
