import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { addPrimaryKey, dropPrimaryKey } from "../src/mysql/migrator/steps.js";

const PRIMARY_KEYS: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ["router_meeting", ["router_id"]],
  ["participant_producers", ["participant_id", "producer_id"]],
  ["participant_consumers", ["consumer_id"]],
];

/** The three tables that had none. */
export class AddPrimaryKeys1795305600000 extends SteppedMigration {
  readonly upSteps = PRIMARY_KEYS.map(([table, columns]) => addPrimaryKey(table, columns));
  readonly downSteps = PRIMARY_KEYS.toReversed().map(([table, columns]) =>
    dropPrimaryKey(
      table,
      columns.map((name) => ({ name, type: "varchar(64)", nullable: true })),
    ),
  );
}
