import { setTimeout as delay } from "node:timers/promises";
import { ServerStartError } from "./errors.js";
import type { Place } from "./place.js";
import { withFreePorts } from "./ports.js";
import { createAdmin, type RedisServer, type RedisServerOptions, startRedisIn } from "./redisServer.js";
import { findSource } from "./sources.js";

export interface RedisClusterOptions extends RedisServerOptions {
  /** How long a node must be unreachable before the others take it for dead; default 5000. */
  readonly nodeTimeoutMs?: number;
  /** Whether all slots refuse to serve while some have no master; default true, as in Redis. */
  readonly requireFullCoverage?: boolean;
}

/** Three masters, and a replica of each. */
export interface RedisCluster {
  readonly version: string;
  /** `REDIS_CLUSTER_*` variables that name all six nodes. */
  readonly environment: Record<string, string>;
  readonly nodes: readonly RedisNode[];
  readonly admin: RedisServer["admin"];
  /** The node that owns the key's slot at this moment, as the nodes that answer see it. */
  masterOf(key: string): Promise<RedisNode>;
  /** The replica of the node that owns the key's slot at this moment. */
  replicaOf(key: string): Promise<RedisNode>;
  /** Resolves once every node says `cluster_state:ok` and every replica follows its master. Fails after `timeoutMs`, default 30,000. */
  untilHealthy(timeoutMs?: number): Promise<void>;
  /** Kills all nodes and removes their data. Idempotent. */
  stop(): Promise<void>;
}

export interface RedisNode extends RedisServer {
  role(): Promise<"master" | "replica">;
}

const MASTERS = 3;
const NODES = 6;
const SLOTS = 16_384;
const POLL_MS = 25;
const FORMED_WITHIN_MS = 30_000;
const NODE_TIMEOUT_MS = 5_000;
const FORMING_NODE_TIMEOUT_MS = 1_000;

/** A private Redis Cluster of three masters and three replicas; never the one that the environment names. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const source = await findSource("redis", options.onProgress);
  return withFreePorts(NODES, async (ports) => {
    const place = await source.open(ports);
    try {
      return await startIn(place, ports, options);
    } catch (error) {
      await place.close();
      throw error;
    }
  });
}

async function startIn(place: Place, ports: readonly number[], options: RedisClusterOptions): Promise<RedisCluster> {
  const admin = createAdmin();
  const args = [...clusterLines(options), ...(options.args ?? [])];
  const started = await Promise.allSettled(ports.map((port) => startRedisIn(place, port, { ...options, args }, admin)));
  const nodes = started.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return withRole(result.value);
  });
  const [first] = nodes as [RedisNode];
  await inHaste(nodes, options, async () => {
    await form(nodes);
    await untilHealthy(nodes, FORMED_WITHIN_MS);
  });
  return {
    version: first.version,
    environment: {
      ...first.environment,
      REDIS_CLUSTER_MODE_ON: "true",
      REDIS_CLUSTER_ADDRESSES: ports.map((port) => `127.0.0.1:${port}`).join(","),
    },
    nodes,
    admin,
    masterOf: async (key) => present((await ownersOf(nodes, key)).master, "master"),
    replicaOf: async (key) => present((await ownersOf(nodes, key)).replica, "replica"),
    untilHealthy: (timeoutMs = FORMED_WITHIN_MS) => untilHealthy(nodes, timeoutMs),
    stop: () => place.close(),
  };
}

function clusterLines({
  nodeTimeoutMs = NODE_TIMEOUT_MS,
  requireFullCoverage = true,
  tls,
}: RedisClusterOptions): string[] {
  return [
    "cluster-enabled yes",
    "cluster-config-file nodes.conf",
    `cluster-node-timeout ${nodeTimeoutMs}`,
    `cluster-require-full-coverage ${requireFullCoverage ? "yes" : "no"}`,
    "cluster-announce-ip 127.0.0.1",
    // A replica is named to clients once its master has written something, if only its next ping: that takes 10 s by default.
    "repl-ping-replica-period 1",
    ...(tls ? ["tls-cluster yes"] : []),
  ];
}

function withRole(server: RedisServer): RedisNode {
  const role = async () => (((await server.call("ROLE")) as string[])[0] === "master" ? "master" : "replica");
  return { ...server, role } as RedisNode;
}

/** A node tells the others what is new after half the time that it takes them for dead in: that is short until the cluster has formed. */
async function inHaste(nodes: readonly RedisNode[], options: RedisClusterOptions, act: () => Promise<void>) {
  const { nodeTimeoutMs = NODE_TIMEOUT_MS } = options;
  const set = (ms: number) => Promise.all(nodes.map((node) => node.call("CONFIG", "SET", "cluster-node-timeout", ms)));
  await set(Math.min(nodeTimeoutMs, FORMING_NODE_TIMEOUT_MS));
  await act();
  await set(nodeTimeoutMs);
}

/** What `redis-cli --cluster create` does, without depending on that program. */
async function form(nodes: readonly RedisNode[]): Promise<void> {
  const [first] = nodes as [RedisNode];
  await Promise.all(nodes.map((node, i) => node.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1)));
  await Promise.all(nodes.slice(0, MASTERS).map((node, i) => node.call("CLUSTER", "ADDSLOTS", ...slotsOf(i))));
  await Promise.all(nodes.slice(1).map((node) => first.call("CLUSTER", "MEET", node.host, node.port)));
  const ids = (await Promise.all(nodes.map((node) => node.call("CLUSTER", "MYID")))) as string[];
  await until(FORMED_WITHIN_MS, "the nodes know each other", async () => {
    const tables = (await Promise.all(nodes.map((node) => node.call("CLUSTER", "NODES")))) as string[];
    return tables.every((table) => ids.every((id) => table.includes(id)) && !table.includes("handshake"));
  });
  const replicas = nodes.slice(MASTERS);
  await Promise.all(replicas.map((node, i) => node.call("CLUSTER", "REPLICATE", ids[i] as string)));
}

function slotsOf(master: number): number[] {
  const [from, to] = [Math.ceil((master * SLOTS) / MASTERS), Math.ceil(((master + 1) * SLOTS) / MASTERS)];
  return Array.from({ length: to - from }, (_, i) => from + i);
}

async function untilHealthy(nodes: readonly RedisNode[], timeoutMs: number): Promise<void> {
  await until(timeoutMs, "all slots are served and replicated", async () => {
    const states = await Promise.all(nodes.map(isHealthy));
    return states.every(Boolean);
  });
}

async function isHealthy(node: RedisNode): Promise<boolean> {
  const answers = await Promise.all([
    node.call("CLUSTER", "INFO"),
    node.call("CLUSTER", "NODES"),
    node.call("INFO", "replication"),
  ]).catch(() => undefined);
  if (!answers) return false;
  const [info, table, replication] = answers.map(String) as [string, string, string];
  const replicas = table.split("\n").filter((line) => / (myself,)?slave /.test(line)).length;
  const followed = /role:master/.test(replication) ? /state=online/ : /master_link_status:up/;
  return /cluster_state:ok/.test(info) && replicas === NODES - MASTERS && followed.test(replication);
}

/** A cluster tells nobody when it has settled: it has to be asked. */
async function until(timeoutMs: number, what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new ServerStartError(`Redis Cluster: not so within ${timeoutMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** From the table of the first node that answers; CLUSTER SLOTS would leave out a replica until its offset is gossiped. */
async function ownersOf(nodes: readonly RedisNode[], key: string) {
  const [slot, table] = await Promise.any(
    nodes.map(async (node) => [Number(await node.call("CLUSTER", "KEYSLOT", key)), await tableOf(node)] as const),
  );
  const owner = table.find(({ ranges }) => ranges.some(([from, to]) => from <= slot && slot <= to));
  const replica = table.find(({ masterId, failed }) => masterId === owner?.id && !failed);
  const byPort = (port: number | undefined) => nodes.find((node) => node.port === port);
  return { master: byPort(owner?.port), replica: byPort(replica?.port) };
}

/** Lines are `id host:port@bus flags masterId ping pong epoch link range…`; a range in brackets is a slot on the move. */
async function tableOf(node: RedisNode) {
  const lines = String(await node.call("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  return lines.map((line) => {
    const [id, address, flags, masterId, , , , , ...ranges] = line.split(" ") as [string, string, string, string];
    return {
      id,
      port: Number(/:(\d+)@/.exec(address)?.[1]),
      masterId,
      failed: /fail/.test(flags),
      ranges: (ranges as string[]).filter((range) => !range.startsWith("[")).map(slotRange),
    };
  });
}

function slotRange(range: string): [number, number] {
  const [from, to = from] = range.split("-").map(Number) as [number, number?];
  return [from, to];
}

function present<T>(node: T | undefined, what: string): T {
  if (!node) throw new ServerStartError(`The slot has no ${what} at this moment`);
  return node;
}
