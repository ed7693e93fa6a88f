import type { MigrationInterface, QueryRunner } from "typeorm";

/** Counts what is there already. The triggers go on from it, so both tables are taken in one locking transaction each. */
const STEPS = [
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
       SELECT container_id FROM container_heartbeat
       UNION SELECT container_id FROM worker_container WHERE container_id IS NOT NULL
     ) AS c
     LEFT JOIN container_heartbeat h ON h.container_id = c.container_id
     LEFT JOIN worker_load w ON w.container_id = c.container_id
     GROUP BY c.container_id, h.tenant
   ) AS counted
   ON DUPLICATE KEY UPDATE tenant = counted.tenant, free = counted.free, smallest_room = counted.smallest,
     largest_room = counted.largest`,
] as const;

/** May be run again. */
export class CountLoads1795320000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const step of STEPS) await runner.query(step);
  }

  /** The tables that were filled are dropped by an earlier migration's way down; until then they are empty as before. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DELETE FROM worker_load");
    await runner.query("DELETE FROM container_load");
  }
}
