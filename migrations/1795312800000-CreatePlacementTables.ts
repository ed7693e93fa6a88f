import type { MigrationInterface, QueryRunner } from "typeorm";

const ID = "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const NAME = "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

const TABLES: readonly (readonly [name: string, definitions: readonly string[]])[] = [
  [
    "worker_load",
    [
      `worker_id ${ID} NOT NULL`,
      `container_id ${ID} NULL`,
      "capacity int NOT NULL DEFAULT 500",
      // Other programs may write any capacity; a sum of theirs must not make their INSERT fail.
      "used bigint NOT NULL DEFAULT 0",
      "PRIMARY KEY (worker_id)",
      "KEY idx_worker_load_container (container_id)",
      // What looks for room reads this one; what locks reads the other, where a changed load moves no entry past a lock.
      "KEY idx_worker_load_room (container_id, capacity, used)",
    ],
  ],
  [
    "container_load",
    [
      `container_id ${ID} NOT NULL`,
      `tenant ${NAME} NULL`,
      "free bigint NOT NULL DEFAULT 0",
      "smallest_room bigint NOT NULL DEFAULT 0",
      "largest_room bigint NOT NULL DEFAULT 0",
      "PRIMARY KEY (container_id)",
      // The last two let most nodes that lack room on single workers be passed over without looking any of that up.
      "KEY idx_container_load_tenant_free (tenant, free, container_id, smallest_room, largest_room)",
    ],
  ],
  [
    "placement_reservation",
    [
      `reservation_id ${ID} NOT NULL`,
      `worker_id ${ID} NOT NULL`,
      `container_id ${ID} NOT NULL`,
      "role varchar(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
      "amount int NOT NULL",
      "expires_at datetime(3) NOT NULL",
      "PRIMARY KEY (reservation_id, worker_id)",
      "KEY idx_placement_reservation_worker (worker_id)",
      "KEY idx_placement_reservation_container (container_id)",
      "KEY idx_placement_reservation_expires (expires_at)",
    ],
  ],
];

/**
 * What placement needs, kept instead of summed up each time: what each worker is used for, what each media node has left,
 * and what is promised. Each step may be run again.
 */
export class CreatePlacementTables1795312800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [name, definitions] of TABLES) {
      await runner.query(`CREATE TABLE IF NOT EXISTS ${name} (${definitions.join(", ")}) ${OPTIONS}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [name] of TABLES.toReversed()) await runner.query(`DROP TABLE IF EXISTS ${name}`);
  }
}
