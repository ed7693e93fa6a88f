import type { Database } from "./database.js";
import { groupBy } from "./groupBy.js";
import { requireKnown } from "./replacement.js";

export interface ConfiguredRouter {
  readonly workerId: string;
  readonly routerId: string;
  /** The one of the three that is set says what the router is for. */
  readonly producerCapacity: number | null;
  readonly consumerCapacity: number | null;
  readonly capacity: number | null;
}

export interface NodeConfiguration {
  readonly containerId: string;
  readonly workerIds: readonly string[];
  readonly meetings: readonly { readonly meetingId: string; readonly routers: readonly ConfiguredRouter[] }[];
}

export async function readConfiguration(database: Database, containerId: string): Promise<NodeConfiguration> {
  const workers = await database.query<{ id: string }>(
    "SELECT worker_id AS id FROM worker_container WHERE container_id = ? ORDER BY worker_id",
    [containerId],
  );
  if (workers.length === 0) await requireKnown(database, containerId);
  const rows = await database.query<ConfiguredRouter & { meetingId: string }>(
    `SELECT m.meeting_id AS meetingId, r.worker_id AS workerId, m.router_id AS routerId,
       m.producer_capacity AS producerCapacity, m.consumer_capacity AS consumerCapacity, m.capacity
     FROM worker_container w JOIN router_worker r ON r.worker_id = w.worker_id
     JOIN router_meeting m ON m.router_id = r.router_id
     WHERE w.container_id = ? AND m.meeting_id IS NOT NULL ORDER BY m.meeting_id, m.router_id`,
    [containerId],
  );
  const meetings = [...groupBy(rows, ({ meetingId }) => meetingId)];
  return {
    containerId,
    workerIds: workers.map(({ id }) => id),
    meetings: meetings.map(([meetingId, routers]) => ({
      meetingId,
      routers: routers.map(({ meetingId: _, ...router }) => router),
    })),
  };
}
