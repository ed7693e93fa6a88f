import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { addIndex, dropIndex } from "../src/mysql/migrator/steps.js";

const INDEXES: readonly (readonly [table: string, name: string, columns: readonly string[]])[] = [
  ["container_heartbeat", "idx_container_heartbeat_heartbeat", ["heartbeat"]],
  ["container_heartbeat", "idx_container_heartbeat_tenant_heartbeat", ["tenant", "heartbeat"]],
  ["router_meeting", "idx_router_meeting_container", ["container_id"]],
  ["participant_producers", "idx_participant_producers_meeting_participant", ["meeting_id", "participant_id"]],
  ["participant_producers", "idx_participant_producers_producer", ["producer_id"]],
  [
    "participant_consumers",
    "idx_participant_consumers_meeting_participant",
    // In the order that a meeting's description lists them, and with all it tells: a fifth of the time it takes from the rows.
    ["meeting_id", "participant_id", "consumer_id", "target_participant_id", "kind", "transport_id"],
  ],
];

/** Without these the lists of a meeting and the closing of a producer read whole tables. */
export class AddOperationIndexes1795309200000 extends SteppedMigration {
  readonly upSteps = INDEXES.map(([table, name, columns]) => addIndex(table, { name, unique: false, columns }));
  readonly downSteps = INDEXES.toReversed().map(([table, name]) => dropIndex(table, name));
}
