import { requireEmpty } from "./dataLoss.js";
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
  if (!allowDataLoss) await refuseLosses(migrating, chosen);
  await execution.run(HISTORY, [historyTable]);
  for (const entry of missingChecksums(standings)) await execution.record(HISTORY, entry);
  for (const standing of chosen) await revert(migrating, standing, allowDataLoss);
  return chosen.map(({ migration }) => migration.name);
}

async function revert({ execution, tell }: Migrating, standing: Standing, allowDataLoss: boolean): Promise<void> {
  const { name, downSteps } = standing.migration;
  await execution.record(name, reverting(standing));
  await execution.run(name, downSteps, { allowDataLoss });
  await execution.record(name, reverted(standing));
  tell({ kind: "reverted", migration: name, message: `Reverted ${name}` });
}

/** Before anything is changed; each table is looked at again before it goes. */
async function refuseLosses({ session, patience }: Migrating, chosen: readonly Standing[]): Promise<void> {
  const { tables } = await readLiveSchema(session);
  const losing = chosen.flatMap(({ migration }) => migration.downSteps.flatMap(({ loses }) => loses ?? []));
  const there = losing.filter((table) => tables.has(table));
  // Each by itself first, so that it is the one named when others keep it locked.
  for (const table of there) await patience.query({ migration: HISTORY, table }, `SELECT 1 FROM ${table} LIMIT 0`);
  await requireEmpty(session, there);
}
