import type { Database } from "./database.js";

/** Heartbeats are locked in the order in which a heartbeat locks them, the primary key first, or the two would deadlock. */
const COUNTS = [
  "DELETE l FROM worker_load l LEFT JOIN worker_container w ON w.worker_id = l.worker_id WHERE w.worker_id IS NULL",
  `INSERT INTO worker_load (worker_id, container_id, used)
   SELECT counted.worker_id, counted.container_id, counted.used
   FROM (
     SELECT w.worker_id, w.container_id,
       COALESCE(SUM(COALESCE(m.producer_capacity, 0) + COALESCE(m.consumer_capacity, 0) + COALESCE(m.capacity, 0)), 0)
       + COALESCE((SELECT SUM(p.amount) FROM placement_reservation p WHERE p.worker_id = w.worker_id), 0) AS used
     FROM worker_container w
     LEFT JOIN router_worker r ON r.worker_id = w.worker_id
     LEFT JOIN router_meeting m ON m.router_id = r.router_id
     GROUP BY w.worker_id, w.container_id
   ) AS counted
   ON DUPLICATE KEY UPDATE container_id = counted.container_id, used = counted.used`,
  `INSERT INTO container_load (container_id, tenant, free, smallest_room, largest_room)
   SELECT counted.container_id, counted.tenant, counted.free, counted.smallest, counted.largest
   FROM (
     SELECT c.container_id, h.tenant, COALESCE(SUM(GREATEST(w.capacity - w.used, 0)), 0) AS free,
       COALESCE(MIN(NULLIF(GREATEST(w.capacity - w.used, 0), 0)), 0) AS smallest,
       COALESCE(MAX(GREATEST(w.capacity - w.used, 0)), 0) AS largest
     FROM (
       SELECT container_id FROM container_heartbeat FORCE INDEX (PRIMARY)
       UNION SELECT container_id FROM worker_container WHERE container_id IS NOT NULL
     ) AS c
     LEFT JOIN container_heartbeat h FORCE INDEX (PRIMARY) ON h.container_id = c.container_id
     LEFT JOIN worker_load w ON w.container_id = c.container_id
     GROUP BY c.container_id, h.tenant
   ) AS counted
   ON DUPLICATE KEY UPDATE tenant = counted.tenant, free = counted.free, smallest_room = counted.smallest,
     largest_room = counted.largest`,
  `DELETE l FROM container_load l
   LEFT JOIN container_heartbeat h ON h.container_id = l.container_id
   LEFT JOIN worker_container w ON w.container_id = l.container_id
   WHERE h.container_id IS NULL AND w.worker_id IS NULL`,
] as const;

/** Counts everything anew. Reads the whole fleet and keeps others from placing meanwhile. */
export function recountLoads(database: Database): Promise<void> {
  return database.transaction(async (tx) => {
    for (const statement of COUNTS) await tx.execute(statement);
  });
}
