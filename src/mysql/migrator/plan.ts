import { refuseUnfit } from "./adoption.js";
import { compareHistory, HISTORY, historyTable, needsOf, readHistory } from "./history.js";
import type { TableSize } from "./liveSchema.js";
import type { Patience } from "./patience.js";
import { type Queryable, readLiveSchema, readTableSizes } from "./schemaReader.js";
import type { Blocks, Step } from "./step.js";
import type { SteppedMigration } from "./steppedMigration.js";

export interface PlannedStatement {
  readonly sql: string;
  readonly table: string;
  /** Undefined for a table that does not exist yet. */
  readonly size: TableSize | undefined;
  /** Whose statements on the table wait while it runs. */
  readonly blocks: Blocks;
  /** Whether every row is written anew. */
  readonly rebuilds: boolean;
}

export interface MigrationPlan {
  /** The migration's; `migrations` for the table of the history itself. */
  readonly name: string;
  /** As the schema is now; an earlier one may spare or change a later one. */
  readonly statements: readonly PlannedStatement[];
}

/** What applying the pending migrations would do. Reads only. */
export async function planPending(
  queryable: Queryable,
  patience: Patience,
  migrations: readonly SteppedMigration[],
): Promise<MigrationPlan[]> {
  const standings = compareHistory(migrations, await readHistory(queryable));
  const pending = standings.filter(({ state }) => state !== "applied");
  if (pending.length === 0) return [];
  const schema = await readLiveSchema(queryable);
  await refuseUnfit(patience, schema, needsOf(pending));
  const sizes = await readTableSizes(queryable);
  const planned = (steps: readonly Step[]): PlannedStatement[] =>
    steps.flatMap((step) => {
      const statement = step.pending(schema);
      if (!statement) return [];
      const { sql, table, blocks, rebuilds } = statement;
      return { sql, table, size: sizes.get(table), blocks, rebuilds };
    });
  return [
    { name: HISTORY, statements: planned([historyTable]) },
    ...pending.map(({ migration: { name, upSteps } }) => ({ name, statements: planned(upSteps) })),
  ].filter(({ statements }) => statements.length > 0);
}
