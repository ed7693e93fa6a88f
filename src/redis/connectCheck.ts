import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, Redis } from "ioredis";
import type { RedisConfig } from "../config/types.js";
import { DriverError, RedisPingError } from "../errors.js";
import type { Driver } from "./connection.js";
import { lastConnectionError } from "./connectionLog.js";
import { connectAdvice, toDriverError } from "./driverErrors.js";

export interface ServerInfo {
  readonly majorVersion: number;
}

/** Sends a command that may be executed twice, bounded in time. */
type Ask = (command: string, ...args: string[]) => Promise<unknown>;

/** How often a cluster that does not serve every slot is asked again, in milliseconds. */
const CLUSTER_STATE_INTERVAL_MS = 200;

/**
 * Opens the connection and asks whether it is what the configuration says it is.
 * @throws RedisPingError
 */
export async function checkConnection(
  driver: Driver,
  config: RedisConfig,
  timeoutMs: number,
  ask: Ask,
): Promise<ServerInfo> {
  const failure = firstFailure(driver, timeoutMs);
  try {
    await Promise.race([driver.connect(), failure.promise]);
    return await Promise.race([inspectServer(driver, config, performance.now() + timeoutMs, ask), failure.promise]);
  } catch (error) {
    throw pingError(config, rootCause(driver, error));
  } finally {
    failure.dispose();
  }
}

/**
 * Rejects when the time is up, and as soon as a connection fails for a reason that ends the attempt: ioredis goes on
 * trying, and its `connect()` may miss the end of a connection that was refused while it was being set up.
 */
function firstFailure(driver: Driver, timeoutMs: number): { promise: Promise<never>; dispose: () => void } {
  let fail!: (error: Error) => void;
  const promise = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Nobody may be racing when it rejects.
  promise.catch(() => undefined);
  const late = new DriverError(`no answer within ${Math.round(timeoutMs)} ms`, { driverCode: "ETIMEDOUT" });
  const timer = setTimeout(fail, timeoutMs, late);
  const onError = (error: unknown) => {
    const cause = toDriverError(error);
    // A cluster has other nodes to try, unless the fault is in what every node is told.
    if (driver instanceof Redis || isRefusal(cause)) fail(cause);
  };
  driver.on("error", onError);
  driver.on("node error", onError);
  const dispose = () => {
    clearTimeout(timer);
    driver.off("error", onError);
    driver.off("node error", onError);
  };
  return { promise, dispose };
}

/** Whether the server answered, and said no to whom or what it was told. */
function isRefusal({ driverCode }: DriverError): boolean {
  return driverCode === "WRONGPASS" || driverCode === "NOAUTH" || driverCode === "NOPERM";
}

async function inspectServer(driver: Driver, config: RedisConfig, deadline: number, ask: Ask): Promise<ServerInfo> {
  const info = String(await ask("INFO"));
  if (driver instanceof Cluster) await inspectCluster(driver, config, deadline, ask);
  else if (/^cluster_enabled:1/m.test(info))
    throw new DriverError("the server is a node of a cluster", { driverCode: "CLUSTER_NODE" });
  await ask("PING");
  return { majorVersion: Number(/^redis_version:(\d+)/m.exec(info)?.[1] ?? 0) };
}

async function inspectCluster(cluster: Cluster, config: RedisConfig, deadline: number, ask: Ask): Promise<void> {
  // In the middle of a failover a cluster reports "fail" for some seconds; a start can wait for that.
  while (/^cluster_state:fail/m.test(String(await ask("CLUSTER", "INFO")))) {
    if (performance.now() + 2 * CLUSTER_STATE_INTERVAL_MS > deadline)
      throw new DriverError("cluster_state is fail", { driverCode: "CLUSTERDOWN" });
    await sleep(CLUSTER_STATE_INTERVAL_MS);
  }
  if (config.connectAllAtStart) await Promise.all(cluster.nodes("master").map((node) => node.ping()));
}

/** The connection's own error says more than the "closed" or "too late" that follows from it. */
function rootCause(driver: Driver, error: unknown): DriverError {
  const cause = error instanceof Error && error.cause instanceof DriverError ? error.cause : toDriverError(error);
  const code = cause.driverCode;
  if (code && code !== "ETIMEDOUT") return cause;
  return lastConnectionError(driver) ?? cause;
}

function pingError({ mode, name, addresses, tls }: RedisConfig, cause: DriverError): RedisPingError {
  const places = addresses.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(", ");
  const what = (mode === "cluster" ? "Redis Cluster" : "Redis") + (name ? ` (client ${name})` : "");
  return new RedisPingError(
    `${what} at ${places} cannot be used: ${cause.message}; ${connectAdvice(cause, tls !== undefined)}`,
    {
      cause,
    },
  );
}
