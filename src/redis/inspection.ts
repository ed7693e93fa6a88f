import { Cluster } from "ioredis";
import type { RedisConfig } from "../config/types.js";
import type { Driver } from "./connection.js";

/** What a server that answers tells of itself. */
export interface RedisInspection {
  /** Of a cluster: of one of its nodes. undefined, like what follows: see `error`. */
  readonly version: string | undefined;
  /** Of a single instance. */
  readonly role: "master" | "replica" | undefined;
  /** A replica's connection to its master. */
  readonly masterLink: "up" | "down" | undefined;
  /** Of a cluster. */
  readonly cluster: RedisClusterState | undefined;
  /** Why the server does not tell all of it. */
  readonly error: string | undefined;
}

/** A cluster as one of its nodes sees it. */
export interface RedisClusterState {
  /** Whether it says `cluster_state:ok`. Without full coverage required, a cluster with unserved slots says so too. */
  readonly ok: boolean;
  /** Slots whose master is thought to be well, out of 16,384. */
  readonly slotsServed: number;
  /** The masters and replicas that this client knows. */
  readonly masters: number;
  readonly replicas: number;
}

export const CLUSTER_SLOTS = 16_384;

/** Sends a command that may be executed twice, bounded in time. */
type Ask = (command: string, ...args: string[]) => Promise<unknown>;

/**
 * Asks whether the server answers and what it is, all at once.
 * @throws what `ask` throws for the PING; what the others fail with is told in `error`
 */
export async function inspectRedis(
  driver: Driver,
  { mode }: Pick<RedisConfig, "mode">,
  ask: Ask,
): Promise<RedisInspection> {
  const questions = [ask("PING"), ask("INFO"), ...(mode === "cluster" ? [ask("CLUSTER", "INFO")] : [])];
  const [ping, info, cluster] = await Promise.allSettled(questions);
  if (ping?.status === "rejected") throw ping.reason;
  return {
    version: field(info, "redis_version"),
    role: mode === "single" ? roleOf(field(info, "role")) : undefined,
    masterLink: mode === "single" ? (field(info, "master_link_status") as "up" | "down" | undefined) : undefined,
    cluster: cluster?.status === "fulfilled" ? clusterState(driver, cluster) : undefined,
    error: [info, cluster].map(failureOf).find(Boolean),
  };
}

type Answer = PromiseSettledResult<unknown> | undefined;

function field(answer: Answer, name: string): string | undefined {
  if (answer?.status !== "fulfilled") return undefined;
  const line = String(answer.value)
    .split("\r\n")
    .find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1);
}

function roleOf(role: string | undefined): RedisInspection["role"] {
  return role === "slave" ? "replica" : (role as "master" | undefined);
}

function clusterState(driver: Driver, answer: Answer): RedisClusterState {
  const count = (role: "master" | "slave") => (driver instanceof Cluster ? driver.nodes(role).length : 0);
  return {
    ok: field(answer, "cluster_state") === "ok",
    slotsServed: Number(field(answer, "cluster_slots_ok")),
    masters: count("master"),
    replicas: count("slave"),
  };
}

function failureOf(answer: Answer): string | undefined {
  return answer?.status === "rejected" ? (answer.reason as Error).message : undefined;
}
