import { isAlive, NOW_NS } from "./clock.js";
import type { Database } from "./database.js";
import { groupBy } from "./groupBy.js";

/** How full something is, counted in streams. */
export interface Load {
  /** What all its workers may carry. */
  readonly limit: number;
  /** What its routers are provisioned for, and what is reserved. */
  readonly used: number;
  /** Of these, what routers for producers are provisioned for; those for consumers; and what is reserved. */
  readonly producers: number;
  readonly consumers: number;
  readonly reserved: number;
  readonly meetings: number;
}

export interface WorkerOverview extends Load {
  readonly workerId: string;
}

/** A media node. */
export interface NodeOverview extends Load {
  readonly containerId: string;
  readonly host: string | null;
  readonly tenant: string | null;
  /** By the database's clock; negative where the heartbeat is from the future, null where there is none. */
  readonly heartbeatAgeMs: number | null;
  /** Heard of within 10 s. */
  readonly alive: boolean;
  /** Whether meetings may be placed on it. */
  readonly enabled: boolean;
  readonly workers: readonly WorkerOverview[];
}

export interface FleetOverview {
  /**
   * Live ones first, and of these the fullest, by `used` over `limit`. Where there are more than were asked for: of the live ones, then
   * of the others, those with the least room left, in streams.
   */
  readonly nodes: readonly NodeOverview[];
  /** How many media nodes there are, and how many of them live, with those that `nodes` leaves out. */
  readonly total: number;
  readonly alive: number;
}

export interface OverviewRequest {
  readonly tenant: string | undefined;
  readonly limit: number;
}

interface NodeRow {
  readonly containerId: string;
  readonly host: string | null;
  readonly tenant: string | null;
  readonly heartbeat: string | number | null;
  readonly now: string | number;
  readonly alive: unknown;
  readonly enabled: unknown;
}

type WorkerRow = Readonly<Record<"containerId" | "workerId", string>> & Readonly<Record<"capacity" | "used", unknown>>;
/** Without a worker: of the node, its meetings each counted once. */
interface RouterRow {
  readonly containerId: string | null;
  readonly workerId: string | null;
  readonly producers: unknown;
  readonly consumers: unknown;
  readonly meetings: unknown;
}
type ReservedRow = Readonly<Record<"containerId" | "workerId", string>> & { readonly amount: unknown };

/** Looked up: joined, MySQL reads the whole table for it. */
const STATUS = "(SELECT s.status FROM container_status s WHERE s.container_id = h.container_id)";

/**
 * The server counts and sorts the media nodes, which no index over both tables can do for it; all else that it reads is of those it
 * returns.
 */
export async function overviewFleet(database: Database, { tenant, limit }: OverviewRequest): Promise<FleetOverview> {
  const [where, params] = tenant === undefined ? ["", []] : ["WHERE h.tenant = ?", [tenant]];
  const [counted] = await database.query<{ total: unknown; alive: unknown }>(
    `SELECT COUNT(*) AS total, COALESCE(SUM(${isAlive("h")}), 0) AS alive FROM container_heartbeat h ${where}`,
    params,
  );
  const nodes = await database.query<NodeRow>(
    `SELECT h.container_id AS containerId, h.host, h.tenant, h.heartbeat, ${NOW_NS} AS now,
       COALESCE(${isAlive("h")}, 0) AS alive, COALESCE(${STATUS}, 1) <> 0 AS enabled
     FROM container_heartbeat h LEFT JOIN container_load l ON l.container_id = h.container_id ${where}
     ORDER BY COALESCE(${isAlive("h")}, 0) DESC, l.free IS NULL, l.free, h.container_id LIMIT ?`,
    [...params, limit],
  );
  const overviews = nodes.length > 0 ? await withLoads(database, nodes) : [];
  return { nodes: overviews, total: Number(counted?.total), alive: Number(counted?.alive) };
}

async function withLoads(database: Database, nodes: readonly NodeRow[]): Promise<NodeOverview[]> {
  const ids = nodes.map(({ containerId }) => containerId);
  const workers = await database.query<WorkerRow>(
    `SELECT w.container_id AS containerId, w.worker_id AS workerId, COALESCE(l.capacity, 500) AS capacity,
       COALESCE(l.used, 0) AS used
     FROM worker_container w LEFT JOIN worker_load l ON l.worker_id = w.worker_id
     WHERE w.container_id IN (?) ORDER BY w.worker_id`,
    [ids],
  );
  const routers = await database.query<RouterRow>(
    `SELECT w.container_id AS containerId, w.worker_id AS workerId, SUM(m.producer_capacity) AS producers,
       SUM(m.consumer_capacity) AS consumers, COUNT(DISTINCT m.meeting_id) AS meetings
     FROM worker_container w STRAIGHT_JOIN router_worker r ON r.worker_id = w.worker_id
     STRAIGHT_JOIN router_meeting m ON m.router_id = r.router_id
     WHERE w.container_id IN (?) GROUP BY w.container_id, w.worker_id WITH ROLLUP`,
    [ids],
  );
  const reserved = await database.query<ReservedRow>(
    `SELECT container_id AS containerId, worker_id AS workerId, SUM(amount) AS amount FROM placement_reservation
     WHERE container_id IN (?) GROUP BY container_id, worker_id`,
    [ids],
  );
  const toWorker = workerReader(routers, reserved);
  const workersOf = groupBy(workers, ({ containerId }) => containerId);
  const meetingsOf = new Map(
    routers.flatMap(({ containerId, workerId, meetings }) =>
      workerId === null ? [[containerId, Number(meetings)]] : [],
    ),
  );
  const overviews = nodes.map((node) =>
    toNode(node, (workersOf.get(node.containerId) ?? []).map(toWorker), meetingsOf.get(node.containerId) ?? 0),
  );
  return overviews.sort(byLoad);
}

function workerReader(routers: readonly RouterRow[], reserved: readonly ReservedRow[]) {
  const routersOf = new Map(routers.map((row) => [row.workerId, row]));
  const reservedOn = new Map(reserved.map(({ workerId, amount }) => [workerId, Number(amount)]));
  return ({ workerId, capacity, used }: WorkerRow): WorkerOverview => {
    const { producers, consumers, meetings } = routersOf.get(workerId) ?? {};
    return {
      workerId,
      limit: Number(capacity),
      used: Number(used),
      producers: Number(producers ?? 0),
      consumers: Number(consumers ?? 0),
      reserved: reservedOn.get(workerId) ?? 0,
      meetings: Number(meetings ?? 0),
    };
  };
}

function toNode(row: NodeRow, workers: readonly WorkerOverview[], meetings: number): NodeOverview {
  const { containerId, host, tenant, heartbeat, now, alive, enabled } = row;
  const sum = (of: keyof Load) => workers.reduce((total, worker) => total + worker[of], 0);
  return {
    containerId,
    host,
    tenant,
    heartbeatAgeMs: heartbeat === null ? null : Number((BigInt(now) - BigInt(heartbeat)) / 1_000_000n),
    alive: Number(alive) === 1,
    enabled: Number(enabled) === 1,
    limit: sum("limit"),
    used: sum("used"),
    producers: sum("producers"),
    consumers: sum("consumers"),
    reserved: sum("reserved"),
    meetings,
    workers,
  };
}

function byLoad(a: NodeOverview, b: NodeOverview): number {
  return Number(b.alive) - Number(a.alive) || shareOf(b) - shareOf(a) || (a.containerId < b.containerId ? -1 : 1);
}

function shareOf({ used, limit }: Load): number {
  return limit > 0 ? used / limit : 0;
}
