import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Cluster, Redis } from "ioredis";
import { loadConfig } from "../src/config/index.js";
import { createRedisClient } from "../src/redis/client.js";
import { createRedisRepository } from "../src/redis/repository.js";
import { createSignals } from "../src/redis/signals/signals.js";
import { type RedisServer, startRedisCluster, startRedisServer } from "../src/testing/index.js";
import type { PublishRequest } from "./followPublisher.js";
import { type Line, ms, times } from "./table.js";

type Mode = "single" | "cluster";

const ROOMS = [100, 1_000, 10_000, 50_000] as const;
const PER_SECOND = 2_000;
const FAST = { meetings: 1_000, perSecond: 20_000 } as const;
const SECONDS = 3;
const ROUNDS = 3;
const CLIENT_NAME = "follower";
const SILENT = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

interface Servers {
  readonly mode: Mode;
  readonly nodes: readonly RedisServer[];
  readonly environment: Record<string, string>;
  stop(): Promise<void>;
}

interface Delays {
  readonly median: number;
  readonly p99: number;
  readonly received: number;
  /** To each node, besides the one for commands. */
  readonly connections: number;
}

/** How long a signal takes from its XADD to the handler, following many meetings on a server and on a cluster of three masters. */
export async function compareFollowing(): Promise<Line[]> {
  return [...(await compareOn("single")), ...(await compareOn("cluster"))];
}

async function compareOn(mode: Mode): Promise<Line[]> {
  const servers = await startServers(mode);
  const publisher = await startPublisher(servers);
  try {
    await seed(servers, Math.max(...ROOMS));
    const ours = new Map<number, Delays[]>(ROOMS.map((meetings) => [meetings, []]));
    const blocked = new Map<number, Delays[]>(ROOMS.map((meetings) => [meetings, []]));
    // In turn, and each round in another order, so that a busy moment meets all sizes.
    for (let round = 0; round < ROUNDS; round += 1)
      for (const meetings of round % 2 === 0 ? ROOMS : ROOMS.toReversed()) {
        const request = { meetings, perSecond: PER_SECOND, seconds: SECONDS };
        ours.get(meetings)?.push(await measureOurs(servers, publisher, request));
        // Over several slots XREAD is refused.
        if (mode === "single") blocked.get(meetings)?.push(await measureBlocked(servers, publisher, request));
      }
    const fast = await measureOurs(servers, publisher, { ...FAST, seconds: SECONDS });
    return [...ROOMS.flatMap((meetings) => linesOf(mode, meetings, ours, blocked)), fastLine(mode, fast)];
  } finally {
    publisher.disconnect();
    await servers.stop();
  }
}

function linesOf(
  mode: Mode,
  meetings: number,
  ours: ReadonlyMap<number, readonly Delays[]>,
  blocked: ReadonlyMap<number, readonly Delays[]>,
): Line[] {
  const own = ours.get(meetings) ?? [];
  const line = ratioLine(mode, meetings, own, ours.get(ROOMS[0]) ?? []);
  return mode === "single" ? [line, blockedLine(meetings, own, blocked.get(meetings) ?? [])] : [line];
}

async function startServers(mode: Mode): Promise<Servers> {
  if (mode === "cluster") return { ...(await startRedisCluster()), mode };
  const server = await startRedisServer();
  return { mode, nodes: [server], environment: server.environment, stop: server.stop };
}

async function startPublisher({ mode, nodes }: Servers): Promise<ChildProcess> {
  const addresses = nodes.map(({ host, port }) => ({ host, port }));
  const child = fork(new URL("followPublisher.ts", import.meta.url), [JSON.stringify({ mode, addresses })]);
  await once(child, "message");
  return child;
}

async function publish(publisher: ChildProcess, request: PublishRequest): Promise<number> {
  const answer = once(publisher, "message");
  publisher.send(request);
  const [published] = await answer;
  return published as number;
}

/** One entry in each stream, with a known id. */
async function seed({ mode, nodes }: Servers, meetings: number): Promise<void> {
  const addresses = nodes.map(({ host, port }) => ({ host, port }));
  const options = { enableAutoPipelining: true } as const;
  const redis = mode === "single" ? new Redis({ ...addresses[0], ...options }) : new Cluster(addresses, options);
  const add = (i: number) => redis.xadd(`room-stream:m${i}`, "*", "seed", "1");
  await Promise.all(Array.from({ length: meetings }, (_, i) => add(i)));
  redis.disconnect();
}

async function measureOurs(servers: Servers, publisher: ChildProcess, request: PublishRequest): Promise<Delays> {
  const config = loadConfig({
    ...servers.environment,
    MYSQL_CONNECTION_STRING: "unused@tcp(127.0.0.1:1)/unused",
    REDIS_CLUSTER_NAME: CLIENT_NAME,
  }).redis;
  const client = createRedisClient({ redis: config }, { logger: SILENT });
  await client.connect(10_000);
  const redis = createRedisRepository(client, config, SILENT);
  const signals = createSignals({ client, redis, config, logger: SILENT });
  const before = await connectionsOf(servers);
  const delays = new Delay();
  await signals.subscribe(meetingIds(request.meetings), {
    handler: (event) => {
      if (event.kind === "signal") delays.add(event.requestId);
    },
  });
  const after = await connectionsOf(servers);
  await publish(publisher, { ...request, seconds: 1 });
  await delays.untilCounted(request.perSecond);
  delays.reset();
  const published = await publish(publisher, request);
  await delays.untilCounted(published);
  await client.close(1_000);
  return { ...delays.result(), connections: Math.max(...after.map((count, node) => count - (before[node] ?? 0))) };
}

function meetingIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${i}`);
}

/** The client's connections, by node. */
async function connectionsOf({ nodes }: Servers): Promise<number[]> {
  const lists = await Promise.all(nodes.map((node) => node.call("CLIENT", "LIST")));
  return lists.map((list) => String(list).match(new RegExp(` name=${CLIENT_NAME} `, "g"))?.length ?? 0);
}

/** What a service would write without this package: one blocking read over all its streams. */
async function measureBlocked({ nodes }: Servers, publisher: ChildProcess, request: PublishRequest): Promise<Delays> {
  const redis = new Redis({ host: nodes[0]?.host ?? "", port: nodes[0]?.port ?? 0 });
  const delays = new Delay();
  const cursors = new Map<string, string>();
  for (const meetingId of meetingIds(request.meetings)) {
    const stream = `room-stream:${meetingId}`;
    const [last] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
    cursors.set(stream, last?.[0] ?? "0-0");
  }
  let running = true;
  const reading = (async () => {
    while (running) {
      const reply = await redis.xread("COUNT", 1_000, "BLOCK", 500, "STREAMS", ...cursors.keys(), ...cursors.values());
      for (const [stream, entries] of reply ?? []) {
        for (const [id, fields] of entries) {
          cursors.set(stream, id);
          delays.add(fields.at(-1) ?? "");
        }
      }
    }
  })();
  await publish(publisher, { ...request, seconds: 1 });
  await delays.untilCounted(request.perSecond);
  delays.reset();
  const published = await publish(publisher, request);
  await delays.untilCounted(published);
  running = false;
  await reading;
  redis.disconnect();
  return { ...delays.result(), connections: 1 };
}

/** Delays of signals whose requestId is the time of their publication. */
class Delay {
  #values: number[] = [];
  #wanted = Number.POSITIVE_INFINITY;
  #reached: () => void = () => undefined;

  add(publishedAt: string): void {
    this.#values.push(Number(process.hrtime.bigint() - BigInt(publishedAt)) / 1e6);
    if (this.#values.length >= this.#wanted) this.#reached();
  }

  reset(): void {
    this.#values = [];
    this.#wanted = Number.POSITIVE_INFINITY;
  }

  untilCounted(wanted: number): Promise<void> {
    this.#wanted = wanted;
    return new Promise((resolve) => {
      this.#reached = resolve;
      if (this.#values.length >= wanted) resolve();
    });
  }

  result() {
    const sorted = this.#values.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return { median: at(0.5), p99: at(0.99), received: sorted.length };
  }
}

function told(rounds: readonly Delays[]): string {
  const { median, p99 } = middle(rounds);
  return `median ${ms(median)}, p99 ${ms(p99)}`;
}

/** The middle of the rounds, number by number. */
function middle(rounds: readonly Delays[]) {
  return {
    median: medianOf(rounds.map(({ median }) => median)),
    p99: medianOf(rounds.map(({ p99 }) => p99)),
    connections: Math.max(...rounds.map(({ connections }) => connections)),
  };
}

/** The median over the rounds of each round's ratio. */
function ratioOf(rounds: readonly Delays[], others: readonly Delays[]): number {
  return medianOf(rounds.map(({ median }, round) => median / (others[round]?.median ?? Number.NaN)));
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function ratioLine(mode: Mode, meetings: number, ours: readonly Delays[], least: readonly Delays[]): Line {
  const ratio = ratioOf(ours, least);
  const judged = meetings === 10_000;
  const { median, p99, connections } = middle(ours);
  return {
    operation: `follow ${meetings} meetings, ${PER_SECOND} signals a second, ${mode}`,
    ours: `${told(ours)}, ${connections} connections a node`,
    other: `${ROOMS[0]} meetings: ${told(least)}`,
    ratio: times(ratio),
    bar: judged ? "≤ 1.5 ×, median ≤ 1 ms, p99 ≤ 15 ms, ≤ 2 connections" : "",
    ...(judged && { passed: ratio <= 1.5 && median <= 1 && p99 <= 15 && connections <= 2 }),
  };
}

function blockedLine(meetings: number, ours: readonly Delays[], blocked: readonly Delays[]): Line {
  const ratio = ratioOf(blocked, ours);
  const judged = meetings === 10_000;
  return {
    operation: `follow ${meetings} meetings against XREAD BLOCK over all of them`,
    ours: told(ours),
    other: `XREAD BLOCK: ${told(blocked)}`,
    ratio: `${times(ratio)} faster`,
    bar: judged ? "≥ 20 × faster" : "",
    ...(judged && { passed: ratio >= 20 }),
  };
}

/** It keeps up when what is published last comes as soon as what came before. */
function fastLine(mode: Mode, fast: Delays): Line {
  const { meetings, perSecond } = FAST;
  return {
    operation: `follow ${meetings} meetings, ${perSecond} signals a second, ${mode}`,
    ours: `${told([fast])}, ${fast.received} of ${perSecond * SECONDS} received`,
    other: "",
    ratio: "",
    bar: "p99 ≤ 1 s",
    passed: fast.received === perSecond * SECONDS && fast.p99 <= 1_000,
  };
}
