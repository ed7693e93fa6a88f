import { CLUSTER_SLOTS } from "../../redis/inspection.js";
import type { ContainerState } from "../container.js";
import type { MysqlHealth, RedisHealth } from "./health.js";

export interface Health {
  /** Whether the process is worth keeping: false once the container is stopped, a failed start included. A store that is down does not matter. */
  readonly live: boolean;
  /** Whether the service can do its work: nothing is in `problems`. */
  readonly ready: boolean;
  readonly state: ContainerState;
  /** Why it is not ready, each in one line without secrets. */
  readonly problems: readonly string[];
  /** What an operator should know though it is ready: a server that refuses writes, replication that stands still, a newer schema. */
  readonly warnings: readonly string[];
  readonly mysql: MysqlHealth;
  readonly redis: RedisHealth;
}

/** Asks no store. */
export function isLive(state: ContainerState): boolean {
  return state !== "stopped";
}

/** What follows from what the stores have told. */
export function judge(state: ContainerState, mysql: MysqlHealth, redis: RedisHealth): Health {
  const stateProblems = state === "ready" ? [] : [`the container is ${state}`];
  const storeProblems = mysql.pool ? [...mysqlProblems(mysql), ...redisProblems(redis)] : [];
  const problems = [...stateProblems, ...storeProblems];
  const warnings = [...mysqlWarnings(mysql), ...redisWarnings(redis)];
  return { live: isLive(state), ready: problems.length === 0, state, problems, warnings, mysql, redis };
}

function mysqlProblems({ error, schema }: MysqlHealth): string[] {
  if (error !== undefined) return [`MySQL: ${error}`];
  const { pending = 0 } = schema ?? {};
  if (pending === 0) return [];
  return [`MySQL: the schema lacks ${pending} of this version's migrations: run doordarshan-data migrate up`];
}

function redisProblems({ error, cluster }: RedisHealth): string[] {
  if (error !== undefined) return [`Redis: ${error}`];
  if (!cluster || (cluster.ok && cluster.slotsServed === CLUSTER_SLOTS)) return [];
  const says = cluster.ok ? "" : " and says that it is down";
  return [`Redis: the cluster serves ${cluster.slotsServed} of ${CLUSTER_SLOTS} slots${says}: check its masters`];
}

function mysqlWarnings({ readOnly, replication, schema }: MysqlHealth): string[] {
  return [
    readOnly && "MySQL is read-only: writes fail",
    replication?.role === "replica" && !replication.running && "MySQL is a replica and its replication does not run",
    schema?.ahead && "MySQL: a newer version of this package has migrated the schema",
  ].filter((warning) => typeof warning === "string");
}

function redisWarnings({ role, masterLink }: RedisHealth): string[] {
  return [
    role === "replica" && "Redis is a replica: writes fail",
    masterLink === "down" && "Redis has lost its master: what it holds is old",
  ].filter((warning) => typeof warning === "string");
}
