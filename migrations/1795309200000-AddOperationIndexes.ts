import type { MigrationInterface, QueryRunner } from "typeorm";

const INDEXES: readonly (readonly [table: string, name: string, columns: string])[] = [
  ["container_heartbeat", "idx_container_heartbeat_heartbeat", "heartbeat"],
  ["container_heartbeat", "idx_container_heartbeat_tenant_heartbeat", "tenant, heartbeat"],
  ["router_meeting", "idx_router_meeting_container", "container_id"],
  ["participant_producers", "idx_participant_producers_meeting_participant", "meeting_id, participant_id"],
  ["participant_producers", "idx_participant_producers_producer", "producer_id"],
  [
    "participant_consumers",
    "idx_participant_consumers_meeting_participant",
    // In the order that a meeting's description lists them, and with all it tells: a fifth of the time it takes from the rows.
    "meeting_id, participant_id, consumer_id, target_participant_id, kind, transport_id",
  ],
];

/** Without these the lists of a meeting and the closing of a producer read whole tables. Each step may be run again. */
export class AddOperationIndexes1795309200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [table, name, columns] of INDEXES) {
      if (await hasIndex(runner, table, name)) continue;
      await runner.query(`ALTER TABLE ${table} ADD KEY ${name} (${columns})`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, name] of INDEXES.toReversed()) {
      if (!(await hasIndex(runner, table, name))) continue;
      await runner.query(`ALTER TABLE ${table} DROP KEY ${name}`);
    }
  }
}

async function hasIndex(runner: QueryRunner, table: string, name: string): Promise<boolean> {
  const rows: unknown[] = await runner.query(
    "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND INDEX_NAME = ?",
    [table, name],
  );
  return rows.length > 0;
}
