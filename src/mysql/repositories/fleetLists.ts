import { isAlive, NOW_NS } from "./clock.js";
import type { Database } from "./database.js";
import { groupBy } from "./groupBy.js";

export interface FleetContainer {
  readonly containerId: string;
  readonly host: string | null;
  readonly tenant: string | null;
  /** Unix time in nanoseconds. */
  readonly heartbeat: bigint | null;
}

export interface FleetContainerDetails extends FleetContainer {
  /** Heard of within 10 s, by the database's clock. */
  readonly alive: boolean;
  /** Whether meetings may be placed on it. */
  readonly enabled: boolean;
  readonly workers: readonly { readonly workerId: string; readonly capacity: number; readonly used: number }[];
  readonly meetingIds: readonly string[];
}

interface ContainerRow {
  readonly containerId: string;
  readonly host: string | null;
  readonly tenant: string | null;
  readonly heartbeat: string | number | null;
}

const CONTAINER = "h.container_id AS containerId, h.host, h.tenant, h.heartbeat";

/** Three flat lists: joined they would multiply. */
export async function listContainers(database: Database, tenant: string | undefined): Promise<FleetContainerDetails[]> {
  const [where, params] = tenant === undefined ? ["", []] : ["WHERE h.tenant = ?", [tenant]];
  const nodes = await database.query<ContainerRow & { alive: unknown; enabled: unknown }>(
    `SELECT ${CONTAINER}, COALESCE(${isAlive("h")}, 0) AS alive, COALESCE(s.status, 1) <> 0 AS enabled
     FROM container_heartbeat h LEFT JOIN container_status s ON s.container_id = h.container_id
     ${where} ORDER BY h.container_id`,
    params,
  );
  const workers = await database.query<{ containerId: string; workerId: string; capacity: number; used: string }>(
    `SELECT h.container_id AS containerId, w.worker_id AS workerId, COALESCE(l.capacity, 500) AS capacity,
       COALESCE(l.used, 0) AS used
     FROM container_heartbeat h JOIN worker_container w ON w.container_id = h.container_id
     LEFT JOIN worker_load l ON l.worker_id = w.worker_id ${where} ORDER BY w.worker_id`,
    params,
  );
  const meetings = await database.query<{ containerId: string; meetingId: string }>(
    `SELECT DISTINCT h.container_id AS containerId, m.meeting_id AS meetingId
     FROM container_heartbeat h JOIN worker_container w ON w.container_id = h.container_id
     JOIN router_worker r ON r.worker_id = w.worker_id JOIN router_meeting m ON m.router_id = r.router_id
     ${where ? `${where} AND` : "WHERE"} m.meeting_id IS NOT NULL ORDER BY m.meeting_id`,
    params,
  );
  const workersOf = groupBy(workers, ({ containerId }) => containerId);
  const meetingsOf = groupBy(meetings, ({ containerId }) => containerId);
  return nodes.map((node) => ({
    ...toContainer(node),
    alive: Number(node.alive) === 1,
    enabled: Number(node.enabled) === 1,
    workers: (workersOf.get(node.containerId) ?? []).map(({ workerId, capacity, used }) => ({
      workerId,
      capacity: Number(capacity),
      used: Number(used),
    })),
    meetingIds: (meetingsOf.get(node.containerId) ?? []).map(({ meetingId }) => meetingId),
  }));
}

export async function findStale(
  database: Database,
  tenant: string | undefined,
  olderThanMs: number,
): Promise<FleetContainer[]> {
  const rows = await database.query<ContainerRow>(
    `SELECT ${CONTAINER} FROM container_heartbeat h
     WHERE ${tenant === undefined ? "" : "h.tenant = ? AND"}
       (h.heartbeat IS NULL OR h.heartbeat < ${NOW_NS} - ? OR h.heartbeat > ${NOW_NS} + 10000000000)
     ORDER BY h.container_id`,
    [...(tenant === undefined ? [] : [tenant]), (BigInt(olderThanMs) * 1_000_000n).toString()],
  );
  return rows.map(toContainer);
}

function toContainer({ containerId, host, tenant, heartbeat }: ContainerRow): FleetContainer {
  return { containerId, host, tenant, heartbeat: heartbeat === null ? null : BigInt(heartbeat) };
}
