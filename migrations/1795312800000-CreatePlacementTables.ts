import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { createTable, dropTable } from "../src/mysql/migrator/steps.js";
import type { ColumnDefinition, IndexDefinition, TableDefinition } from "../src/mysql/migrator/tableDefinition.js";

const requiredId = (name: string): ColumnDefinition => ({ name, type: "varchar(64)", nullable: false });
const id = (name: string): ColumnDefinition => ({ name, type: "varchar(64)", nullable: true });
const required = (name: string, type: string): ColumnDefinition => ({ name, type, nullable: false });
const primary = (...columns: string[]): IndexDefinition => ({ name: "PRIMARY", unique: true, columns });
const index = (name: string, ...columns: string[]): IndexDefinition => ({ name, unique: false, columns });

const TABLES: readonly TableDefinition[] = [
  {
    name: "worker_load",
    columns: [
      requiredId("worker_id"),
      id("container_id"),
      { name: "capacity", type: "int", nullable: false, default: "500" },
      // Other programs may write any capacity; a sum of theirs must not make their INSERT fail.
      { name: "used", type: "bigint", nullable: false, default: "0" },
    ],
    indexes: [
      primary("worker_id"),
      index("idx_worker_load_container", "container_id"),
      // What looks for room reads this one; what locks reads the other, where a changed load moves no entry past a lock.
      index("idx_worker_load_room", "container_id", "capacity", "used"),
    ],
    foreignKeys: [],
  },
  {
    name: "container_load",
    columns: [
      requiredId("container_id"),
      { name: "tenant", type: "varchar(255)", nullable: true },
      { name: "free", type: "bigint", nullable: false, default: "0" },
      { name: "smallest_room", type: "bigint", nullable: false, default: "0" },
      { name: "largest_room", type: "bigint", nullable: false, default: "0" },
    ],
    indexes: [
      primary("container_id"),
      // The last two let most nodes that lack room on single workers be passed over without looking any of that up.
      index("idx_container_load_tenant_free", "tenant", "free", "container_id", "smallest_room", "largest_room"),
    ],
    foreignKeys: [],
  },
  {
    name: "placement_reservation",
    columns: [
      requiredId("reservation_id"),
      requiredId("worker_id"),
      requiredId("container_id"),
      required("role", "varchar(8)"),
      required("amount", "int"),
      required("expires_at", "datetime(3)"),
    ],
    indexes: [
      primary("reservation_id", "worker_id"),
      index("idx_placement_reservation_worker", "worker_id"),
      index("idx_placement_reservation_container", "container_id"),
      index("idx_placement_reservation_expires", "expires_at"),
    ],
    foreignKeys: [],
  },
];

/**
 * What placement needs, kept instead of summed up each time: what each worker is used for, what each media node has left,
 * and what is promised. Taken back even with rows: they are counted again on the way up, or run out by themselves.
 */
export class CreatePlacementTables1795312800000 extends SteppedMigration {
  readonly upSteps = TABLES.map(createTable);
  readonly downSteps = TABLES.toReversed().map(({ name }) => dropTable(name, { keepRows: false }));
}
