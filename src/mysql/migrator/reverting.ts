import { DataLossError } from "../../errors.js";
import {
  compareHistory,
  HISTORY,
  historyTable,
  missingChecksums,
  readHistory,
  reverted,
  reverting,
  type Standing,
} from "./history.js";
import type { Migrating } from "./migrating.js";
import { readLiveSchema } from "./schemaReader.js";
import type { SteppedMigration } from "./steppedMigration.js";

/** Takes the newest `count` back and returns their names. Marked before the first step, so that either way can be gone on with. */
export async function revertLast(
  migrating: Migrating,
  migrations: readonly SteppedMigration[],
  { count, allowDataLoss }: { readonly count: number; readonly allowDataLoss: boolean },
): Promise<string[]> {
  const { session, execution } = migrating;
  const standings = compareHistory(migrations, await readHistory(session));
  const applied = standings.filter(({ state }) => state !== "pending");
  const chosen = applied.toReversed().slice(0, count);
  if (chosen.length === 0) return [];
  if (!allowDataLoss) await requireEmpty(migrating, chosen);
  await execution.run(HISTORY, [historyTable]);
  for (const entry of missingChecksums(standings)) await execution.record(HISTORY, entry);
  for (const standing of chosen) await revert(migrating, standing);
  return chosen.map(({ migration }) => migration.name);
}

async function revert({ execution, tell }: Migrating, standing: Standing): Promise<void> {
  const { name, downSteps } = standing.migration;
  await execution.record(name, reverting(standing));
  await execution.run(name, downSteps);
  await execution.record(name, reverted(standing));
  tell({ kind: "reverted", migration: name, message: `Reverted ${name}` });
}

async function requireEmpty({ session }: Migrating, chosen: readonly Standing[]): Promise<void> {
  const { tables } = await readLiveSchema(session);
  const losing = chosen.flatMap(({ migration }) => migration.downSteps.flatMap(({ loses }) => loses ?? []));
  const counted: { table: string; rows: number }[] = [];
  for (const table of losing) {
    if (!tables.has(table)) continue;
    const [row] = await session.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table}`);
    counted.push({ table, rows: Number(row?.n) });
  }
  const full = counted.filter(({ rows }) => rows > 0);
  if (full.length > 0) throw new DataLossError(full);
}
