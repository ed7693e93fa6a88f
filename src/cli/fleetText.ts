import type { FleetOverview, Load, NodeOverview, WorkerOverview } from "../mysql/repositories/fleetOverview.js";
import { type Column, layOut } from "./table.js";
import { type Span, type Terminal, toLine } from "./terminalText.js";

const COLUMNS: readonly Column[] = [
  { title: "NODE", min: 8, rank: 0 },
  { title: "HOST", min: 8, rank: 7 },
  { title: "TENANT", min: 6, rank: 4 },
  { title: "STATE", rank: 0 },
  { title: "WORKERS", align: "right", rank: 8 },
  { title: "LOAD", rank: 0 },
  { title: "USED/LIMIT", align: "right", rank: 1 },
  { title: "PRODUCERS", align: "right", rank: 5 },
  { title: "CONSUMERS", align: "right", rank: 5 },
  { title: "RESERVED", align: "right", rank: 6 },
  { title: "MEETINGS", align: "right", rank: 2 },
];

export interface FleetTextOptions extends Terminal {
  /** Whether each worker has a line under its node's. */
  readonly workers: boolean;
}

/** Header, sums and "and n more": the lines that are not the nodes'. */
const FRAME_LINES = 3;

/** The overview as a table, at most `rows` lines, with the sums of the nodes it shows at its foot. */
export function fleetLines(overview: FleetOverview, { workers, ...terminal }: FleetTextOptions): string[] {
  const { columns, rows = Number.POSITIVE_INFINITY } = terminal;
  const shown = fitting(overview.nodes, Math.max(1, rows - FRAME_LINES), workers);
  const body = shown.flatMap((node) => [nodeCells(node), ...(workers ? node.workers.map(workerCells) : [])]);
  // A window of few lines cuts even the first node's workers.
  const lines = layOut(COLUMNS, [...body, sumCells(shown)], columns);
  const [head, foot] = [lines.slice(0, 1), lines.slice(-1)];
  const middle = lines.slice(1, -1).slice(0, Math.max(1, rows - FRAME_LINES));
  const table = [...head, ...middle, ...foot].map((spans) => toLine(spans, terminal).trimEnd());
  const more = moreText(overview, shown.length);
  return more ? [...table, toLine([{ text: more, style: "dim" }], terminal)] : table;
}

/** As many nodes as `lines` lines can show, one at least. */
function fitting(nodes: readonly NodeOverview[], lines: number, workers: boolean): readonly NodeOverview[] {
  let left = lines;
  const end = nodes.findIndex((node) => {
    left -= workers ? 1 + node.workers.length : 1;
    return left < 0;
  });
  return end === -1 ? nodes : nodes.slice(0, Math.max(1, end));
}

function nodeCells(node: NodeOverview): Span[] {
  const { containerId, host, tenant, workers } = node;
  return [
    { text: containerId },
    { text: host ?? "-" },
    { text: tenant ?? "-" },
    stateOf(node),
    { text: `${workers.length}` },
    ...loadCells(node),
  ];
}

function workerCells(worker: WorkerOverview): Span[] {
  return [{ text: `  ${worker.workerId}` }, BLANK, BLANK, BLANK, BLANK, ...loadCells(worker)];
}

const BLANK: Span = { text: "" };

function sumCells(nodes: readonly NodeOverview[]): Span[] {
  const sum = (of: (node: NodeOverview) => number) => nodes.reduce((total, node) => total + of(node), 0);
  const load: Load = {
    limit: sum(({ limit }) => limit),
    used: sum(({ used }) => used),
    producers: sum(({ producers }) => producers),
    consumers: sum(({ consumers }) => consumers),
    reserved: sum(({ reserved }) => reserved),
    meetings: sum(({ meetings }) => meetings),
  };
  const alive = nodes.filter((node) => node.alive).length;
  const texts = [`${nodes.length} ${nodes.length === 1 ? "node" : "nodes"}`, "", "", `${alive} alive`];
  const cells = [...texts, `${sum(({ workers }) => workers.length)}`].map((text): Span => ({ text, style: "bold" }));
  return [...cells, ...loadCells(load).map((cell): Span => ({ style: "bold", ...cell }))];
}

function loadCells(load: Load): Span[] {
  const { used, limit, producers, consumers, reserved, meetings } = load;
  const numbers = [`${used}/${limit}`, ...[producers, consumers, reserved, meetings].map(String)];
  return [loadBar(used, limit), ...numbers.map((text) => ({ text }))];
}

const BAR_CELLS = 10;

/** What other programs write may be above the limit: then the bar is full and the number says how far. */
function loadBar(used: number, limit: number): Span {
  if (limit <= 0) return { text: "-" };
  const share = used / limit;
  const cells = Math.min(BAR_CELLS, Math.max(share > 0 ? 1 : 0, Math.floor(share * BAR_CELLS)));
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const style = share >= 0.9 ? "red" : share >= 0.7 ? "yellow" : "green";
  return { text: `${"#".repeat(cells)}${".".repeat(BAR_CELLS - cells)} ${percent}`, style };
}

/** `off`: alive, but no meeting is placed there. `ahead`: its heartbeat is from the future, which is not believed. */
function stateOf({ alive, enabled, heartbeatAgeMs }: NodeOverview): Span {
  if (heartbeatAgeMs === null) return { text: "dead, never", style: "red" };
  const age = duration(Math.abs(heartbeatAgeMs));
  if (!alive) return { text: heartbeatAgeMs < 0 ? `ahead ${age}` : `dead ${age}`, style: "red" };
  return enabled ? { text: `alive ${age}` } : { text: `off ${age}`, style: "yellow" };
}

/** In the largest unit of which there are two. */
function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function moreText({ total, alive, nodes }: FleetOverview, shown: number): string | undefined {
  if (total <= shown) return undefined;
  const advice = nodes.length > shown ? "a taller window shows more" : "--limit shows more";
  return `and ${total - shown} more; of all ${total}, ${alive} are alive (${advice})`;
}
