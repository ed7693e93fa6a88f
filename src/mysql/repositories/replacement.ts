import { ContainerNotFoundError, NoCapacityError } from "../../errors.js";
import { findCandidates } from "./allocation.js";
import type { Database } from "./database.js";
import { packRouters, roomOn } from "./placement.js";

export interface Replacement {
  readonly containerId: string;
  readonly host: string;
  /** What the node has left before it takes over. */
  readonly free: number;
  /** A worker of the node for each router of the other, never two routers of one meeting on a worker. */
  readonly routers: readonly {
    readonly meetingId: string;
    readonly routerId: string;
    /** What the router is provisioned for. */
    readonly amount: number;
    readonly workerId: string;
  }[];
}

export async function findReplacement(
  database: Database,
  tenant: string,
  forContainerId: string,
): Promise<Replacement> {
  const routers = await routersOn(database, forContainerId);
  const total = routers.reduce((sum, { amount }) => sum + amount, 0);
  const except = [forContainerId];
  for (;;) {
    const demand = { producerCapacity: 0, consumerCapacity: total };
    const candidates = await findCandidates(database, { tenant, demand, order: "DESC", except, anyWorker: true });
    for (const { containerId, host, workers } of candidates) {
      const packed = packRouters(workers, routers);
      if (packed) return { containerId, host, free: roomOn(workers), routers: packed };
      except.push(containerId);
    }
    if (candidates.length === 0) throw new NoCapacityError(tenant, `all ${total} streams of the node to replace`);
  }
}

async function routersOn(database: Database, containerId: string) {
  const rows = await database.query<{ meetingId: string; routerId: string; amount: string | number }>(
    `SELECT m.meeting_id AS meetingId, m.router_id AS routerId,
       COALESCE(m.producer_capacity, 0) + COALESCE(m.consumer_capacity, 0) + COALESCE(m.capacity, 0) AS amount
     FROM worker_container w JOIN router_worker r ON r.worker_id = w.worker_id
     JOIN router_meeting m ON m.router_id = r.router_id
     WHERE w.container_id = ? AND m.meeting_id IS NOT NULL ORDER BY m.router_id`,
    [containerId],
  );
  if (rows.length === 0) await requireKnown(database, containerId);
  return rows.map((row) => ({ ...row, amount: Number(row.amount) }));
}

/** @throws ContainerNotFoundError */
export async function requireKnown(database: Database, containerId: string): Promise<void> {
  const known = await database.query(
    `SELECT 1 FROM container_heartbeat WHERE container_id = ?
     UNION SELECT 1 FROM worker_container WHERE container_id = ?`,
    [containerId, containerId],
  );
  if (known.length === 0) throw new ContainerNotFoundError(containerId);
}
