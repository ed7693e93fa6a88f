import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { fill } from "../src/mysql/migrator/steps.js";

/**
 * Counts what is there already. The triggers go on from it, so both tables are taken in one locking transaction each. Rows of
 * heartbeats are locked in the order in which a heartbeat locks them, the primary key first, or the two would deadlock.
 */
const COUNT_WORKERS = `INSERT INTO worker_load (worker_id, container_id, used)
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
   ON DUPLICATE KEY UPDATE container_id = counted.container_id, used = counted.used`;
const COUNT_CONTAINERS = `INSERT INTO container_load (container_id, tenant, free, smallest_room, largest_room)
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
     largest_room = counted.largest`;

/** On the way down the tables are emptied; an earlier migration's way down drops them. */
export class CountLoads1795320000000 extends SteppedMigration {
  readonly upSteps = [fill("worker_load", COUNT_WORKERS), fill("container_load", COUNT_CONTAINERS)];
  readonly downSteps = [
    fill("worker_load", "DELETE FROM worker_load"),
    fill("container_load", "DELETE FROM container_load"),
  ];
}
