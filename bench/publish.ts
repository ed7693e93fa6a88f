import { fork } from "node:child_process";
import { once } from "node:events";
import type { Pipeline } from "ioredis";
import { startRedisServer } from "../src/testing/index.js";
import type { Report } from "../test/integration/redis/fixtures/publishUnderLoad.js";
import { type Contender, measureTogether, medianOf, ratioOf, type Times } from "./measure.js";
import {
  type Mode,
  openPublishGround,
  type PublishGround,
  serverLimit,
  signalOf,
  xaddArguments,
} from "./publishGround.js";
import { round } from "./round.js";
import { bytes, type Line, times } from "./table.js";

const CALLERS = 100;
const PER_ROUND = 10_000;
const ALONE_PER_ROUND = 1_500;
const ROUNDS = 15;
const DOWN_MS = 60_000;
const MEMORY_BAR = 64 * 2 ** 20;
const ARGUMENTS = Array.from({ length: PER_ROUND }, (_, i) => xaddArguments(i));

/** Publishing against the plain driver with the same bytes, from 100 callers, from one, and 100 at a time. */
export async function comparePublishing(mode: Mode): Promise<Line[]> {
  const ground = await openPublishGround(mode);
  try {
    for (let i = 0; i < CALLERS; i += 1) await ground.signals.publish(signalOf(i));
    const ways = waysOf(ground);
    const together = await compare(ways, PER_ROUND, CALLERS);
    const alone = await compare(ways, ALONE_PER_ROUND, 1);
    const many = await measureTogether(waysOfMany(ground), { rounds: ROUNDS, calls: 1 });
    return [
      line(
        `publish, ${CALLERS} callers, ${mode}`,
        "ioredis, auto-pipelined",
        together.ours,
        together.autoPipelined,
        PER_ROUND,
        0.9,
      ),
      line(`publish, ${CALLERS} callers, ${mode}`, "ioredis, plain", together.ours, together.plain, PER_ROUND, 1.2),
      line(
        `publish, ${CALLERS} callers, idempotent, ${mode}`,
        "publish",
        together.idempotent,
        together.ours,
        PER_ROUND,
      ),
      line(`publish, one caller, ${mode}`, "ioredis, plain", alone.ours, alone.plain, ALONE_PER_ROUND),
      line(`publish, one caller, ${mode}`, "ioredis, auto-pipelined", alone.ours, alone.autoPipelined, ALONE_PER_ROUND),
      line(
        `publishMany of ${CALLERS}, ${mode}`,
        `pipelines of ${CALLERS}, to each node its own`,
        many.ours,
        many.raw,
        PER_ROUND,
        0.9,
      ),
      ...(await limits(ground, mode)),
    ];
  } finally {
    await ground.close();
  }
}

type Call = (i: number) => Promise<unknown>;

function waysOf({ signals, autoPipelined, plain }: PublishGround) {
  return {
    ours: (i: number) => signals.publish(signalOf(i)),
    autoPipelined: (i: number) => autoPipelined.xadd(...(ARGUMENTS[i] as [string, ...string[]])),
    plain: (i: number) => plain.xadd(...(ARGUMENTS[i] as [string, ...string[]])),
    idempotent: (i: number) => signals.publish(signalOf(i), { idempotent: true }),
  };
}

/** Each call of a contender is a whole round, made by so many callers. */
function compare<Name extends string>(ways: Readonly<Record<Name, Call>>, calls: number, callers: number) {
  const contenders = Object.fromEntries(
    Object.entries<Call>(ways).map(([name, call]) => [name, { run: () => round(call, calls, callers) }]),
  ) as unknown as Record<Name, Contender>;
  return measureTogether(contenders, { rounds: ROUNDS, calls: 1 });
}

function waysOfMany({ signals, nodeOf }: PublishGround): Record<"ours" | "raw", Contender> {
  const inHundreds = async (send: (first: number) => Promise<unknown>) => {
    for (let first = 0; first < PER_ROUND; first += CALLERS) await send(first);
  };
  // By connections of their own, whose owners are known beforehand: faster than ioredis' cluster client can do it.
  const raw = (first: number) => {
    const pipelines = new Map<unknown, Pipeline>();
    for (let i = first; i < first + CALLERS; i += 1) {
      const node = nodeOf(signalOf(i).meetingId);
      const pipeline = pipelines.get(node) ?? (node.pipeline() as Pipeline);
      pipelines.set(node, pipeline);
      pipeline.xadd(...(ARGUMENTS[i] as [string, ...string[]]));
    }
    return Promise.all([...pipelines.values()].map((pipeline) => pipeline.exec()));
  };
  const ours = (first: number) => signals.publishMany(Array.from({ length: CALLERS }, (_, i) => signalOf(first + i)));
  return { ours: { run: () => inHundreds(ours) }, raw: { run: () => inHundreds(raw) } };
}

function line(operation: string, other: string, ours: Times, theirs: Times, calls: number, bar?: number): Line {
  // Of throughput: the inverse of the times'.
  const ratio = 1 / ratioOf(ours, theirs);
  return {
    operation,
    ours: perSecond(ours, calls),
    other: `${other}: ${perSecond(theirs, calls)}`,
    ratio: times(ratio),
    bar: bar === undefined ? "" : `≥ ${bar} ×`,
    ...(bar !== undefined && { passed: ratio >= bar }),
  };
}

function perSecond(measured: Times, calls: number): string {
  return `${((calls / medianOf(measured)) * 1e3).toFixed(0)} /s`;
}

async function limits({ nodes }: PublishGround, mode: Mode): Promise<Line[]> {
  // A cluster's nodes refuse keys of others.
  if (mode === "cluster") return [];
  const [one, pipelined] = [await serverLimit(nodes[0] as never, false), await serverLimit(nodes[0] as never, true)];
  const shown = (rate: number | undefined) => (rate === undefined ? "not installed" : `${rate.toFixed(0)} /s`);
  const other = `redis-benchmark, the server's limit: 100 connections ${shown(one)}, pipelines of 100 ${shown(pipelined)}`;
  return [{ operation: "XADD with the same payload", ours: "", other, ratio: "", bar: "" }];
}

/** What the process holds after a collection, at full load from 12,000 callers, while the server is killed or frozen for a minute. */
export async function showMemory(): Promise<Line[]> {
  return [await memoryWhile("killed"), await memoryWhile("frozen")];
}

async function memoryWhile(fault: "killed" | "frozen"): Promise<Line> {
  const server = await startRedisServer();
  const load = new URL("../test/integration/redis/fixtures/publishUnderLoad.ts", import.meta.url);
  const execArgv = ["--import", "tsx", "--expose-gc"];
  const child = fork(load, [String(server.port), String(DOWN_MS)], { execArgv });
  try {
    await once(child, "message");
    await (fault === "killed" ? server.kill() : server.pause());
    child.send("measure");
    const [{ grownBytes }] = (await once(child, "message")) as [Report];
    return {
      operation: `publish, 12,000 callers, Redis ${fault} for ${DOWN_MS / 1e3} s`,
      ours: `memory grows by ${bytes(Math.max(0, grownBytes))}`,
      other: "",
      ratio: "",
      bar: `≤ ${bytes(MEMORY_BAR)}`,
      passed: grownBytes <= MEMORY_BAR,
    };
  } finally {
    child.kill("SIGKILL");
    if (fault === "frozen") await server.resume();
    await server.stop();
  }
}
