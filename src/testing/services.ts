import { ServicesUnavailableError } from "./errors.js";
import { type MysqlServer, startMysqlServer } from "./mysqlServer.js";
import { type RedisCluster, startRedisCluster } from "./redisCluster.js";
import { type RedisServer, startRedisServer } from "./redisServer.js";
import { findSource, type StoreName } from "./sources.js";

/** Holds `host:port` of the single Redis instance that stands beside the cluster; it is reached without TLS and password. */
export const SINGLE_REDIS_VARIABLE = "DOORDARSHAN_SINGLE_REDIS_ADDRESS";

export interface ServicesOptions {
  /** Called with lines for a human: what is fetched, what runs where. */
  readonly onProgress?: (line: string) => void;
}

export interface Services {
  /** `MYSQL_*` and `REDIS_CLUSTER_*` variables, for `loadConfig`: the MySQL server and the Redis Cluster. */
  readonly environment: Record<string, string>;
  /** The same MySQL server, and the single Redis instance (`REDIS_CLUSTER_MODE_ON=false`). */
  readonly singleEnvironment: Record<string, string>;
  /** Which servers these are, for messages. */
  readonly source: { readonly mysql: string; readonly redis: string };
  /** Ends the servers that were started here; those that the environment names go on. Idempotent. */
  stop(): Promise<void>;
}

/** One store as found or started: its variables, its name for messages, and its end. */
interface Part {
  readonly environment: Record<string, string>;
  readonly label: string;
  stop(): Promise<void>;
}

/**
 * Real servers for tests and demos: those that the environment names, or else private ones, from a Docker engine,
 * from the machine's binaries or from the distribution's packages, whichever comes first.
 * @throws ServicesUnavailableError when none of these ways is open
 * @throws ServerStartError when a server does not start
 */
export async function startServices(options: ServicesOptions = {}): Promise<Services> {
  const starting = [mysqlPart(options), clusterPart(options), singlePart(options)];
  const settled = await Promise.allSettled(starting);
  const parts = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const stop = async () => void (await Promise.all(parts.map((part) => part.stop())));
  const failures = settled.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (failures.length > 0) {
    await stop();
    throw combined(failures);
  }
  const [mysql, cluster, single] = parts as [Part, Part, Part];
  options.onProgress?.(`${mysql.label}; ${cluster.label}; ${single.label}`);
  const shared = { [SINGLE_REDIS_VARIABLE]: single.environment.REDIS_CLUSTER_ADDRESSES as string };
  return {
    environment: { ...mysql.environment, ...cluster.environment, ...shared },
    singleEnvironment: { ...mysql.environment, ...single.environment, ...shared },
    source: { mysql: mysql.label, redis: cluster.label },
    stop,
  };
}

/** Both stores may be out of reach for the same reason: one error tells all there is to do. */
function combined(failures: readonly unknown[]): unknown {
  const unavailable = failures.filter((failure) => failure instanceof ServicesUnavailableError);
  if (unavailable.length < failures.length) return failures.find((failure) => !unavailable.includes(failure as never));
  return new ServicesUnavailableError([...new Set(unavailable.map(({ message }) => message))].join(" "));
}

async function mysqlPart(options: ServicesOptions): Promise<Part> {
  const named = ["MYSQL_CONNECTION_STRING", "MYSQL_ENDPOINT"].find((name) => process.env[name]);
  if (named) return namedPart("MYSQL_", `MySQL as named by ${named}`);
  const server: MysqlServer = await startMysqlServer(options);
  const engine = server.version.includes("MariaDB") ? "MariaDB" : "MySQL";
  return { ...server, label: `${engine} ${await origin("mysql", server.version)} on 127.0.0.1:${server.port}` };
}

async function clusterPart(options: ServicesOptions): Promise<Part> {
  if (process.env.REDIS_CLUSTER_ADDRESSES && !namesSingleMode())
    return namedPart("REDIS_CLUSTER_", "Redis Cluster as named by REDIS_CLUSTER_ADDRESSES");
  const cluster: RedisCluster = await startRedisCluster(options);
  const ports = cluster.nodes.map((node) => node.port).join(",");
  return { ...cluster, label: `Redis ${await origin("redis", cluster.version)} cluster on 127.0.0.1:${ports}` };
}

async function singlePart(options: ServicesOptions): Promise<Part> {
  if (process.env.REDIS_CLUSTER_ADDRESSES && namesSingleMode())
    return namedPart("REDIS_CLUSTER_", "single Redis as named by REDIS_CLUSTER_ADDRESSES");
  const address = process.env[SINGLE_REDIS_VARIABLE];
  if (address) return { ...singleNamed(address), label: `single Redis as named by ${SINGLE_REDIS_VARIABLE}` };
  const server: RedisServer = await startRedisServer(options);
  return { ...server, label: `single Redis on 127.0.0.1:${server.port}` };
}

function namesSingleMode(): boolean {
  return /^(false|f|0|no|off)$/i.test(process.env.REDIS_CLUSTER_MODE_ON?.trim() ?? "");
}

/** The variables of a store that the environment names, as they are. */
function namedPart(prefix: string, label: string): Part {
  const variables = Object.entries(process.env).filter(
    ([name, value]) => name.startsWith(prefix) && value !== undefined,
  );
  return { environment: Object.fromEntries(variables) as Record<string, string>, label, stop: async () => undefined };
}

function singleNamed(address: string) {
  return {
    environment: { REDIS_CLUSTER_MODE_ON: "false", REDIS_CLUSTER_ADDRESSES: address, REDIS_CLUSTER_TLS: "false" },
    stop: async () => undefined,
  };
}

async function origin(store: StoreName, version: string): Promise<string> {
  return `${version.replace(/-.*/, "")} (${(await findSource(store)).label})`;
}
