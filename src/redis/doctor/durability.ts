import type { Check, Finding } from "../../doctor/check.js";
import type { RedisPatient } from "./patient.js";
import { perServer } from "./perServer.js";
import { type Info, isWithheld, type Server } from "./server.js";

const needs = ["redis.login"];

/** Whether signals that were stored stay: role, replication, eviction, persistence. */
export const durabilityChecks: readonly Check<RedisPatient>[] = [
  {
    id: "redis.role",
    title: "the server takes writes",
    needs: ["redis.mode"],
    run: (patient) => perServer(patient, async (server) => role(patient.config.mode, await server.info())),
  },
  {
    id: "redis.replication",
    title: "replication",
    needs,
    run: (patient) => perServer(patient, async (server) => replication(await server.info())),
  },
  {
    id: "redis.maxmemory",
    title: "memory and eviction",
    needs,
    run: (patient) =>
      perServer(patient, async (server) => {
        const info = await server.info();
        return [policy(info), memory(info)];
      }),
  },
  { id: "redis.persistence", title: "persistence", needs, run: (patient) => perServer(patient, persistence) },
];

function isReplica(info: Info): boolean {
  return info.get("role") === "slave";
}

function role(mode: "single" | "cluster", info: Info): Finding {
  const what = isReplica(info) ? "a replica" : "a master";
  if (mode === "cluster" || !isReplica(info)) return { verdict: "ok", saw: what };
  const master = `${info.get("master_host")}:${info.get("master_port")}`;
  return {
    verdict: "failed",
    saw: `a replica of ${master}, which takes no writes`,
    advice: `Name its master in REDIS_CLUSTER_ADDRESSES (${master}, as the replica sees it)`,
  };
}

function replication(info: Info): Finding {
  if (isReplica(info)) {
    if (info.get("master_link_status") === "up") return { verdict: "ok", saw: "a replica that follows its master" };
    const since = info.get("master_link_down_since_seconds");
    const saw = `a replica whose link to its master is down${since ? ` for ${since} s` : ""}`;
    const advice =
      "See in the replica's log why (masterauth, masteruser, network); a failover to it now would lose signals";
    return { verdict: "warning", saw, advice };
  }
  const replicas = [...info].filter(([field]) => /^slave\d+$/.test(field)).map(([, value]) => value);
  const behind = replicas.filter((value) => !value.includes("state=online"));
  if (behind.length === 0) return { verdict: "ok", saw: `a master with ${replicas.length} replica(s) online` };
  const saw = `a master with ${behind.length} replica(s) not yet online`;
  return { verdict: "warning", saw, advice: "Wait for their synchronisation, or look into the replicas' logs" };
}

const MIB = 1_048_576;
/** Of maxmemory; from here on there is little time left to do something. */
const NEARLY_FULL = 0.9;

function policy(info: Info): Finding {
  const name = info.get("maxmemory_policy");
  const limited = info.get("maxmemory") !== "0";
  if (name === undefined) return { verdict: "skipped", saw: "INFO does not tell maxmemory_policy" };
  if (name === "noeviction") return { verdict: "ok", saw: "maxmemory-policy is noeviction" };
  const advice = "CONFIG SET maxmemory-policy noeviction, and in redis.conf or the service's parameter group";
  const saw = `maxmemory-policy is ${name}`;
  if (!limited) return { verdict: "warning", saw: `${saw}: with a maxmemory, signals would be evicted`, advice };
  // Every stream has an expiry, so volatile-* reaches them all, but not before memory is short of others' keys as well.
  if (name.startsWith("volatile-"))
    return { verdict: "warning", saw: `${saw}: streams have expiries, so short of memory it loses signals`, advice };
  return { verdict: "failed", saw: `${saw}: short of memory it silently loses signals`, advice };
}

function memory(info: Info): Finding {
  const [used, limit] = [Number(info.get("used_memory")), Number(info.get("maxmemory"))];
  if (Number.isNaN(limit)) return { verdict: "skipped", saw: "INFO does not tell maxmemory" };
  if (limit === 0) return { verdict: "ok", saw: "maxmemory is not set" };
  const saw = `${percent(used / limit)} of maxmemory used (of ${Math.round(limit / MIB)} MiB)`;
  const advice = "Raise maxmemory, or lower REDIS_STREAM_MAX_LENGTH and REDIS_CLUSTER_TTL_IN_HOURS";
  if (used >= limit) return { verdict: "failed", saw: `${saw}: writes are refused or evict`, advice };
  return used >= limit * NEARLY_FULL ? { verdict: "warning", saw, advice } : { verdict: "ok", saw: coarse(limit) };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The same on servers that are alike, so that they share a line. */
function coarse(limit: number): string {
  return `less than ${percent(NEARLY_FULL)} of maxmemory used (of ${Math.round(limit / MIB)} MiB)`;
}

async function persistence(server: Server): Promise<readonly Finding[]> {
  const info = await server.info();
  const failures = failedSaves(info);
  return [...failures, await persistenceMode(server, info)];
}

const SAVES = [
  ["rdb_last_bgsave_status", "the last snapshot failed, and by default writes are refused until one succeeds"],
  ["aof_last_write_status", "the last write to the append-only file failed, and writes are refused"],
  ["aof_last_bgrewrite_status", "the last rewrite of the append-only file failed: it grows without end"],
] as const;

function failedSaves(info: Info): readonly Finding[] {
  const advice = "Look into the server's log; most likely its disk is full or its folder cannot be written to";
  return SAVES.filter(([field]) => info.get(field) === "err").map(([, saw]) => ({ verdict: "failed", saw, advice }));
}

async function persistenceMode(server: Server, info: Info): Promise<Finding> {
  if (info.get("aof_enabled") === "1") return { verdict: "ok", saw: "the append-only file is on" };
  const snapshots = await snapshotsOf(server);
  const advice = "CONFIG SET appendonly yes, and in redis.conf";
  if (snapshots === "") {
    const saw = "neither append-only file nor snapshots: a restart loses every signal";
    return { verdict: "warning", saw: `${saw}, those acknowledged too`, advice };
  }
  const when = snapshots === undefined ? "if any (save is not told)" : `save ${snapshots}`;
  return { verdict: "warning", saw: `only snapshots, ${when}: a crash loses the signals since the last one`, advice };
}

/** The `save` setting, empty where there are no snapshots; undefined where it may not be asked for. */
async function snapshotsOf(server: Server): Promise<string | undefined> {
  try {
    const [, value] = (await server.ask("CONFIG", "GET", "save")) as string[];
    return value;
  } catch (error) {
    if (isWithheld(error)) return undefined;
    throw error;
  }
}
