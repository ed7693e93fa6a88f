import { adoptTables } from "../src/mysql/migrator/adoptTables.js";
import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { createTable, dropTable } from "../src/mysql/migrator/steps.js";
import type { ColumnDefinition, IndexDefinition, TableDefinition } from "../src/mysql/migrator/tableDefinition.js";

const requiredId = (name: string): ColumnDefinition => ({ name, type: "varchar(64)", nullable: false });
const id = (name: string): ColumnDefinition => ({ name, type: "varchar(64)", nullable: true });
const primary = (...columns: string[]): IndexDefinition => ({ name: "PRIMARY", unique: true, columns });
const unique = (name: string, ...columns: string[]): IndexDefinition => ({ name, unique: true, columns });
const index = (name: string, ...columns: string[]): IndexDefinition => ({ name, unique: false, columns });

/** Parents before children. */
const TABLES: readonly TableDefinition[] = [
  {
    name: "container_heartbeat",
    columns: [
      requiredId("container_id"),
      { name: "host", type: "varchar(255)", nullable: true },
      { name: "tenant", type: "varchar(255)", nullable: true },
      { name: "heartbeat", type: "bigint", nullable: true },
    ],
    indexes: [primary("container_id"), index("idx_container_heartbeat_tenant", "tenant")],
    foreignKeys: [],
  },
  {
    name: "container_status",
    columns: [requiredId("container_id"), { name: "status", type: "tinyint(1)", nullable: true }],
    indexes: [primary("container_id")],
    foreignKeys: [],
    links: [{ column: "container_id", references: { table: "container_heartbeat", column: "container_id" } }],
  },
  {
    name: "worker_container",
    columns: [id("container_id"), requiredId("worker_id")],
    indexes: [primary("worker_id"), index("idx_worker_container_container", "container_id")],
    foreignKeys: [],
    links: [{ column: "container_id", references: { table: "container_heartbeat", column: "container_id" } }],
  },
  {
    name: "router_worker",
    columns: [id("worker_id"), requiredId("router_id")],
    indexes: [primary("router_id"), index("idx_router_worker_worker", "worker_id")],
    foreignKeys: [
      {
        name: "fk_router_worker_worker",
        column: "worker_id",
        references: { table: "worker_container", column: "worker_id" },
        onDelete: "NO ACTION",
      },
    ],
  },
  {
    name: "meeting_status",
    columns: [requiredId("meeting_id"), { name: "enabled", type: "tinyint(1)", nullable: true }],
    indexes: [primary("meeting_id")],
    foreignKeys: [],
  },
  {
    name: "router_meeting",
    columns: [
      id("router_id"),
      id("meeting_id"),
      { name: "producer_capacity", type: "int", nullable: true },
      { name: "consumer_capacity", type: "int", nullable: true },
      { name: "capacity", type: "int", nullable: true },
      id("container_id"),
    ],
    indexes: [index("idx_router_meeting_router", "router_id"), index("idx_router_meeting_meeting", "meeting_id")],
    foreignKeys: [
      {
        name: "fk_router_meeting_router",
        column: "router_id",
        references: { table: "router_worker", column: "router_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_router_meeting_meeting",
        column: "meeting_id",
        references: { table: "meeting_status", column: "meeting_id" },
        onDelete: "CASCADE",
      },
    ],
    links: [{ column: "container_id", references: { table: "container_heartbeat", column: "container_id" } }],
  },
  {
    name: "participant_meeting",
    columns: [id("meeting_id"), requiredId("participant_id"), id("instance_id")],
    indexes: [primary("participant_id"), index("idx_participant_meeting_meeting", "meeting_id")],
    foreignKeys: [
      {
        name: "fk_participant_meeting_meeting",
        column: "meeting_id",
        references: { table: "meeting_status", column: "meeting_id" },
        onDelete: "CASCADE",
      },
    ],
  },
  {
    name: "participant_producer_router",
    columns: [requiredId("participant_id"), id("router_id")],
    indexes: [primary("participant_id"), index("idx_participant_producer_router_router", "router_id")],
    foreignKeys: [
      {
        name: "fk_participant_producer_router_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_participant_producer_router_router",
        column: "router_id",
        references: { table: "router_worker", column: "router_id" },
        onDelete: "CASCADE",
      },
    ],
  },
  {
    name: "participant_consumer_router",
    columns: [requiredId("participant_id"), id("router_id")],
    indexes: [primary("participant_id"), index("idx_participant_consumer_router_router", "router_id")],
    foreignKeys: [
      {
        name: "fk_participant_consumer_router_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_participant_consumer_router_router",
        column: "router_id",
        references: { table: "router_worker", column: "router_id" },
        onDelete: "CASCADE",
      },
    ],
  },
  {
    name: "participant_producer_transport",
    columns: [requiredId("participant_id"), id("transport_id")],
    indexes: [primary("participant_id"), unique("uq_participant_producer_transport_transport", "transport_id")],
    foreignKeys: [
      {
        name: "fk_participant_producer_transport_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
    ],
  },
  {
    name: "participant_consumer_transport",
    columns: [requiredId("participant_id"), id("transport_id")],
    indexes: [primary("participant_id"), unique("uq_participant_consumer_transport_transport", "transport_id")],
    foreignKeys: [
      {
        name: "fk_participant_consumer_transport_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
    ],
  },
  {
    name: "participant_producers",
    columns: [
      id("participant_id"),
      { name: "producers", type: "int", nullable: true },
      id("kind"),
      id("producer_id"),
      id("meeting_id"),
      id("transport_id"),
    ],
    indexes: [
      index("idx_participant_producers_participant", "participant_id"),
      index("idx_participant_producers_transport", "transport_id"),
    ],
    foreignKeys: [
      {
        name: "fk_participant_producers_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_participant_producers_transport",
        column: "transport_id",
        references: { table: "participant_producer_transport", column: "transport_id" },
        onDelete: "CASCADE",
      },
    ],
    links: [{ column: "meeting_id", references: { table: "meeting_status", column: "meeting_id" } }],
  },
  {
    name: "participant_consumers",
    columns: [
      id("participant_id"),
      { name: "consumers", type: "int", nullable: true },
      id("target_participant_id"),
      id("kind"),
      id("consumer_id"),
      id("meeting_id"),
      id("transport_id"),
    ],
    indexes: [
      unique("uq_participant_consumers_target_kind", "participant_id", "target_participant_id", "kind"),
      index("idx_participant_consumers_target", "target_participant_id"),
      index("idx_participant_consumers_transport", "transport_id"),
    ],
    foreignKeys: [
      {
        name: "fk_participant_consumers_participant",
        column: "participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_participant_consumers_target",
        column: "target_participant_id",
        references: { table: "participant_meeting", column: "participant_id" },
        onDelete: "CASCADE",
      },
      {
        name: "fk_participant_consumers_transport",
        column: "transport_id",
        references: { table: "participant_consumer_transport", column: "transport_id" },
        onDelete: "CASCADE",
      },
    ],
    links: [{ column: "meeting_id", references: { table: "meeting_status", column: "meeting_id" } }],
  },
];

/** The tables with the keys that running services know: made where they are missing, taken over where they exist. */
export class CreateMeetingTables1795302000000 extends SteppedMigration {
  readonly upSteps = [...adoptTables(TABLES), ...TABLES.map(createTable)];
  readonly downSteps = TABLES.toReversed().map(({ name }) => dropTable(name, { keepRows: true }));
}
