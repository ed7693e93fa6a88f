import type { ConnectionOptions } from "node:tls";
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import { readAuthority } from "../config/authorityFile.js";
import { readCredentials } from "../config/secretFile.js";
import type { RedisConfig, TlsConfig } from "../config/types.js";
import type { Logger } from "../telemetry/logger.js";
import { outsideOfCallers } from "../telemetry/outsideOfCallers.js";
import { ConnectionLog, type ConnectionLogOptions } from "./connectionLog.js";

/** ioredis' client, of either mode. */
export type Driver = Redis | Cluster;

/** How long a connection being closed may take to end by itself, in milliseconds. */
const DISCONNECT_TIMEOUT_MS = 500;
/** How often the slot table is read anew, in milliseconds: a frozen master closes no connection and so gives no sign. */
const SLOTS_REFRESH_INTERVAL_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;

export interface DriverFactory {
  /** For commands. Nothing is connected yet. */
  commands(): Driver;
  /** For subscriptions, which take a connection of their own. */
  subscriptions(sharded: boolean): Driver;
  /** To one node, of a cluster too. */
  node(address: NodeAddress): Redis;
}

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads the secrets and the certificate authority's file; opens nothing.
 * @throws CredentialError, ConfigError when one of the files cannot be used
 */
export function createDriverFactory(config: RedisConfig, log: ConnectionLogOptions): DriverFactory {
  const shared = sharedOptions(config, log.logger);
  return {
    commands: () => createDriver(config, shared, log),
    subscriptions: (sharded) =>
      createDriver(config, shared, log, { shardedSubscribers: sharded, enableOfflineQueue: true }),
    node: (address) => createNode(config, shared, log, address),
  };
}

function createDriver(
  config: RedisConfig,
  shared: RedisOptions,
  log: ConnectionLogOptions,
  extra: ClusterOptions = {},
): Driver {
  if (config.mode === "single") return createNode(config, shared, log, config.addresses[0] as NodeAddress);
  const cluster = new Cluster([...config.addresses], { ...clusterOptions(config, shared), ...extra });
  connectOutside(cluster);
  cluster.on("+node", (node: Redis) => watchNode(node, config));
  new ConnectionLog(log, config.name).watch(cluster);
  return cluster;
}

function createNode(config: RedisConfig, shared: RedisOptions, log: ConnectionLogOptions, address: NodeAddress): Redis {
  // A demoted master goes on answering, with READONLY; only a new connection finds its successor.
  const reconnectOnError = (error: Error) => error.message.startsWith("READONLY");
  const redis = new Redis({ ...address, ...shared, retryStrategy: reconnectDelay, reconnectOnError });
  watchNode(redis, config);
  new ConnectionLog(log, config.name).watch(redis);
  return redis;
}

/**
 * No command may be sent again by ioredis once its reply is lost: `maxRetriesPerRequest: 0` on a single instance,
 * `retryDelayOnFailover: 0` in a cluster. What is safe to repeat is repeated by the client, which knows what was sent.
 */
function sharedOptions(config: RedisConfig, logger: Logger): RedisOptions {
  const { credentials } = config;
  const { username, password, warnings } = readCredentials(credentials);
  for (const { variable, message } of warnings) logger.warn({ event: "config.notice", variable }, message);
  logger.info(
    { event: "redis.credentials", source: credentials.kind, variable: credentials.variable },
    password ? "Redis credentials read" : "No Redis credentials are given",
  );
  const tls = config.tls && tlsOptions(config.tls);
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    // Needs a permission that an ACL user may lack, and nobody reads it.
    disableClientInfo: true,
    connectTimeout: config.dialTimeoutMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    ...(username && { username }),
    ...(password && { password: password.reveal() }),
    ...(config.name && { connectionName: config.name }),
    ...(tls && { tls }),
  };
}

function clusterOptions({ dialTimeoutMs, readTimeoutMs }: RedisConfig, shared: RedisOptions): ClusterOptions {
  const { enableOfflineQueue: _, ...redisOptions } = shared;
  return {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    // A cluster that lacks a slot must not cost the healthy shards their connections.
    enableReadyCheck: false,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Reading the slot table takes a connection of its own, TLS and AUTH included.
    slotsRefreshTimeout: dialTimeoutMs + readTimeoutMs,
    slotsRefreshInterval: SLOTS_REFRESH_INTERVAL_MS,
    clusterRetryStrategy: reconnectDelay,
    // Names stay names, so that TLS checks the host name that was configured.
    dnsLookup: (address, callback) => callback(null, address),
  };
}

function reconnectDelay(times: number): number {
  return Math.min(20 * 2 ** Math.min(times, 6), 1_000) * (0.5 + Math.random() / 2);
}

function tlsOptions({ caFile, verify }: TlsConfig): ConnectionOptions {
  return {
    rejectUnauthorized: verify,
    ...(verify && caFile && { ca: readAuthority("REDIS_CLUSTER_TLS_CA_FILE", caFile) }),
  };
}

/** What ioredis leaves out, for each connection. */
function watchNode(node: Redis, config: RedisConfig): void {
  connectOutside(node);
  // ioredis' connectTimeout ends with the TCP (or TLS) handshake; a frozen server then leaves AUTH and INFO unanswered for ever.
  let timer: NodeJS.Timeout | undefined;
  const drop = () => node.stream.destroy(new Error("The server accepted the connection but did not answer"));
  node.on("connect", () => {
    timer = setTimeout(drop, config.dialTimeoutMs);
  });
  for (const event of ["ready", "close", "end"]) node.on(event, () => clearTimeout(timer));
  // The slot table is read on connections of its own; ioredis swallows their errors and leaves them open when the node's is closed.
  const duplicate = node.duplicate.bind(node);
  node.duplicate = (options) => {
    const copy = duplicate(options).on("error", (error: Error) => node.emit("error", error));
    const close = () => {
      copy.disconnect();
      copy.stream?.destroy();
    };
    node.once("end", close);
    return copy.once("end", () => node.off("end", close));
  };
  // When following ASK, ioredis drops the promise of ASKING: a lost connection would end the process as an unhandled rejection.
  const asking = node.asking.bind(node) as () => Promise<"OK">;
  node.asking = () => {
    const sent = asking();
    sent.catch(() => undefined);
    return sent;
  };
}

/** ioredis connects when a command needs it, and its sockets and timers would go on in the context of whoever sent that. */
function connectOutside(driver: Driver): void {
  const connect = driver.connect.bind(driver);
  driver.connect = () => outsideOfCallers(() => connect());
}

/**
 * The connections that carry subscriptions. ioredis has no public way to a cluster's, nor to any state of theirs but `status`;
 * should a later version keep them elsewhere, none is found.
 */
export function subscribers(driver: Driver): Redis[] {
  if (driver instanceof Redis) return [driver];
  const inside = driver as unknown as {
    readonly subscriber?: Carrier;
    readonly shardedSubscribers?: { readonly shardedSubscribers?: ReadonlyMap<string, Carrier> };
  };
  const carriers = [...(inside.shardedSubscribers?.shardedSubscribers?.values() ?? []), inside.subscriber];
  return carriers.flatMap((carrier) => carrier?.getInstance() ?? []);
}

interface Carrier {
  getInstance(): Redis | null;
}

/** Closes every connection now, without waiting for a server that may be frozen. */
export function closeDriver(driver: Driver): void {
  const nodes = driver instanceof Cluster ? driver.nodes() : [driver];
  driver.disconnect();
  for (const node of nodes) node.stream?.destroy();
}
