import type { MigrationInterface, QueryRunner } from "typeorm";

const ID = "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

const PRIMARY_KEYS: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ["router_meeting", ["router_id"]],
  ["participant_producers", ["participant_id", "producer_id"]],
  ["participant_consumers", ["consumer_id"]],
];

/** The three tables that had none. Each step may be run again. */
export class AddPrimaryKeys1795305600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [table, columns] of PRIMARY_KEYS) {
      if (await hasPrimaryKey(runner, table)) continue;
      await runner.query(`ALTER TABLE ${table} ADD PRIMARY KEY (${columns.join(", ")})`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, columns] of PRIMARY_KEYS.toReversed()) {
      if (!(await hasPrimaryKey(runner, table))) continue;
      const nullable = columns.map((column) => `MODIFY ${column} ${ID} NULL`);
      await runner.query(`ALTER TABLE ${table} DROP PRIMARY KEY, ${nullable.join(", ")}`);
    }
  }
}

async function hasPrimaryKey(runner: QueryRunner, table: string): Promise<boolean> {
  const rows: unknown[] = await runner.query(
    `SELECT 1 FROM information_schema.TABLE_CONSTRAINTS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND CONSTRAINT_TYPE = 'PRIMARY KEY'`,
    [table],
  );
  return rows.length > 0;
}
