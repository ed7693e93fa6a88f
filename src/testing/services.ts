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
  /** The variables, for `loadConfig`, of the MySQL server and of the Redis Cluster (or of what the environment names). */
  readonly environment: Record<string, string>;
  /** The same MySQL server, and a single Redis instance; undefined where the environment names a cluster and no such instance. */
  readonly singleEnvironment: Record<string, string> | undefined;
  /** Which servers these are, for messages. */
  readonly source: { readonly mysql: string; readonly redis: string };
  /** Ends the servers that were started here; those that the environment names go on. Idempotent. */
  stop(): Promise<void>;
}

/** What says where a store's server is and who may use it; other variables are settings, and stay as they are. */
export const CONNECTION_VARIABLES = {
  mysql: [
    ...["MYSQL_CONNECTION_STRING", "MYSQL_ENDPOINT", "MYSQL_PORT", "MYSQL_DB_NAME", "MYSQL_USERNAME", "MYSQL_PASSWORD"],
    ...["MYSQL_SECRET_FILE", "MYSQL_CREDENTIALS_SECRET_FILE_PATH"],
    ...["MYSQL_MIGRATION_USERNAME", "MYSQL_MIGRATION_PASSWORD", "MYSQL_MIGRATION_SECRET_FILE"],
    ...["MYSQL_TLS", "MYSQL_TLS_CA_FILE", "MYSQL_TLS_SKIP_VERIFY"],
  ],
  redis: [
    ...["REDIS_CLUSTER_MODE_ON", "REDIS_CLUSTER_ADDRESSES", "REDIS_CLUSTER_USERNAME", "REDIS_CLUSTER_PASSWORD"],
    ...["REDIS_CLUSTER_SECRET_FILE", "REDIS_CLUSTER_CREDENTIALS_SECRET_FILE_PATH"],
    ...["REDIS_CLUSTER_TLS", "REDIS_CLUSTER_TLS_CA_FILE", "REDIS_CLUSTER_SKIP_VERIFY"],
  ],
} as const satisfies Record<StoreName, readonly string[]>;

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
  const starting = [mysqlPart(options), redisPart(options), singlePart(options)];
  const settled = await Promise.allSettled(starting);
  const parts = settled.flatMap((result) => (result.status === "fulfilled" && result.value ? [result.value] : []));
  const stop = async () => void (await Promise.all(parts.map((part) => part.stop())));
  const failures = settled.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (failures.length > 0) {
    await stop();
    throw combined(failures);
  }
  const [mysql, redis, single] = parts as [Part, Part, Part?];
  options.onProgress?.(parts.map(({ label }) => label).join("; "));
  const beside = single && { [SINGLE_REDIS_VARIABLE]: single.environment.REDIS_CLUSTER_ADDRESSES as string };
  return {
    environment: { ...mysql.environment, ...redis.environment, ...beside },
    singleEnvironment: single && { ...mysql.environment, ...single.environment, ...beside },
    source: { mysql: mysql.label, redis: redis.label },
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
  if (named) return namedPart("mysql", `MySQL as named by ${named}`);
  const server: MysqlServer = await startMysqlServer(options);
  const engine = server.version.includes("MariaDB") ? "MariaDB" : "MySQL";
  return { ...server, label: `${engine} ${await origin("mysql", server.version)} on 127.0.0.1:${server.port}` };
}

async function redisPart(options: ServicesOptions): Promise<Part> {
  if (process.env.REDIS_CLUSTER_ADDRESSES) return namedPart("redis", "Redis as named by REDIS_CLUSTER_ADDRESSES");
  const cluster: RedisCluster = await startRedisCluster(options);
  const ports = cluster.nodes.map((node) => node.port).join(",");
  return { ...cluster, label: `Redis ${await origin("redis", cluster.version)} cluster on 127.0.0.1:${ports}` };
}

/** Where the environment names Redis, nothing is started beside it. */
async function singlePart(options: ServicesOptions): Promise<Part | undefined> {
  const address = process.env[SINGLE_REDIS_VARIABLE];
  if (address) return { ...singleNamed(address), label: `single Redis as named by ${SINGLE_REDIS_VARIABLE}` };
  if (process.env.REDIS_CLUSTER_ADDRESSES) return namesSingleMode() ? namedPart("redis", "in single mode") : undefined;
  const server: RedisServer = await startRedisServer(options);
  return { ...server, label: `single Redis on 127.0.0.1:${server.port}` };
}

/** As `loadConfig` reads a boolean. */
function namesSingleMode(): boolean {
  return /^(0|f|F|FALSE|false|False)$/.test(process.env.REDIS_CLUSTER_MODE_ON ?? "");
}

/** The variables of a store that the environment names, as they are. */
function namedPart(store: StoreName, label: string): Part {
  const named = CONNECTION_VARIABLES[store].filter((name) => process.env[name] !== undefined);
  const environment = Object.fromEntries(named.map((name) => [name, process.env[name] as string]));
  return { environment, label, stop: async () => undefined };
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
