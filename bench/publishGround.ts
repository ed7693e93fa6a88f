import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Cluster, Redis } from "ioredis";
import { loadConfig } from "../src/config/index.js";
import { createRedisClient, type RedisClient } from "../src/redis/client.js";
import { createRedisRepository } from "../src/redis/repository.js";
import { createSignals, type Signals } from "../src/redis/signals/signals.js";
import type { Signal } from "../src/redis/signals/types.js";
import { type RedisServer, startRedisCluster, startRedisServer } from "../src/testing/index.js";

export type Mode = "single" | "cluster";
type Driver = Redis | Cluster;

export const ROOMS = 100;
const SILENT = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

/** A server or a cluster, and the ways to it that are compared. */
export interface PublishGround {
  readonly signals: Signals;
  readonly autoPipelined: Driver;
  readonly plain: Driver;
  /** A connection to the node that owns the meeting's stream. */
  nodeOf(meetingId: string): Redis;
  readonly nodes: readonly RedisServer[];
  close(): Promise<void>;
}

export async function openPublishGround(mode: Mode): Promise<PublishGround> {
  const servers = await (mode === "single" ? startSingle() : startCluster());
  const addresses = servers.nodes.map(({ host, port }) => ({ host, port }));
  const open = (options: { enableAutoPipelining: boolean }): Driver =>
    mode === "single" ? new Redis({ ...addresses[0], ...options }) : new Cluster(addresses, options);
  const [autoPipelined, plain] = [open({ enableAutoPipelining: true }), open({ enableAutoPipelining: false })];
  await Promise.all([autoPipelined.ping(), plain.ping()]);
  const { client, signals } = await openOurs(servers.environment);
  const raw = new Map(servers.nodes.map(({ host, port }) => [port, new Redis({ host, port, lazyConnect: true })]));
  const owners = new Map<string, Redis>();
  for (const meetingId of meetingIds())
    owners.set(meetingId, raw.get((await servers.masterOf(`room-stream:${meetingId}`)).port) as Redis);
  return {
    signals,
    autoPipelined,
    plain,
    nodeOf: (meetingId) => owners.get(meetingId) as Redis,
    nodes: servers.nodes,
    close: async () => {
      for (const driver of [autoPipelined, plain, ...raw.values()]) driver.disconnect();
      await client.close(1_000);
      await servers.stop();
    },
  };
}

async function startSingle() {
  const server = await startRedisServer();
  return { nodes: [server], environment: server.environment, masterOf: async () => server, stop: server.stop };
}

async function startCluster() {
  return startRedisCluster();
}

async function openOurs(environment: Record<string, string>): Promise<{ client: RedisClient; signals: Signals }> {
  const variables = { ...environment, MYSQL_CONNECTION_STRING: "unused@tcp(127.0.0.1:1)/unused" };
  const config = loadConfig(variables).redis;
  const client = createRedisClient({ redis: config }, { logger: SILENT });
  await client.connect(10_000);
  const redis = createRedisRepository(client, config, SILENT);
  return { client, signals: createSignals({ client, redis, config, logger: SILENT }) };
}

function meetingIds(): string[] {
  return Array.from({ length: ROOMS }, (_, i) => `m${i}`);
}

export function signalOf(i: number): Signal {
  return {
    type: "DoordarshanUserJoined",
    meetingId: `m${i % ROOMS}`,
    senderId: `participant-${i % 1_000}`,
    payload: { userJoinedReason: "joined" },
  };
}

/** The same bytes as ours, ready before the clock starts. */
export function xaddArguments(i: number): [string, ...string[]] {
  const { type, meetingId, senderId, payload } = signalOf(i);
  const signal = JSON.stringify({ type, subType: type, version_id: 0, recipient_id: null, payload });
  const key = `room-stream:${meetingId}`;
  const requestId = `${senderId}${1_795_390_440_335_000_000n + BigInt(i)}`;
  const fields = ["name", type, "signal", signal, "roomId", meetingId, "participantId", senderId];
  const last = ["messageType", "signalMessage", "requestId", requestId];
  return [key, "NOMKSTREAM", "MAXLEN", "~", "10000", "*", ...fields, ...last];
}

/** Commands a second of redis-benchmark, 100 connections or pipelines of 100, with the same command; undefined where it is not installed. */
export async function serverLimit({ host, port }: RedisServer, pipelined: boolean): Promise<number | undefined> {
  const ways = pipelined ? ["-c", "10", "-P", "100"] : ["-c", "100"];
  const args = ["-h", host, "-p", String(port), "-n", "100000", ...ways, "--csv", "XADD", ...xaddArguments(0)];
  try {
    const { stdout } = await promisify(execFile)("redis-benchmark", args);
    return Number(/^"XADD[^\n]*?",?"([\d.]+)"/m.exec(stdout)?.[1]);
  } catch {
    return undefined;
  }
}

export async function redisVersion(): Promise<string> {
  const server = await startRedisServer();
  await server.stop();
  return server.version;
}
