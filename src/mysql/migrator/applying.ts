import { refuseUnfit } from "./adoption.js";
import {
  applied,
  compareHistory,
  HISTORY,
  historyTable,
  missingChecksums,
  needsOf,
  readHistory,
  type Standing,
} from "./history.js";
import type { Migrating } from "./migrating.js";
import { readLiveSchema } from "./schemaReader.js";
import { ANYTHING, type Step } from "./step.js";
import type { SteppedMigration } from "./steppedMigration.js";

/** Applies what is pending, each recorded after its last step, and returns the names. `fake`: only records. */
export async function applyPending(
  migrating: Migrating,
  migrations: readonly SteppedMigration[],
  { fake }: { readonly fake: boolean },
): Promise<string[]> {
  const { session, execution } = migrating;
  const standings = compareHistory(migrations, await readHistory(session));
  const pending = standings.filter(({ state }) => state !== "applied");
  if (!fake) await requireFit(migrating, pending);
  if (!fake && pending.length > 0) await session.leaveKeysOut();
  await execution.run(HISTORY, [historyTable]);
  for (const entry of missingChecksums(standings)) await execution.record(HISTORY, entry);
  await completeRefused(migrating, standings);
  for (const standing of pending) await apply(migrating, standing, fake);
  return pending.map(({ migration }) => migration.name);
}

/** All that stands in the way is told before anything is changed. */
async function requireFit({ session, patience }: Migrating, pending: readonly Standing[]): Promise<void> {
  const needs = needsOf(pending);
  if (needs.length > 0) await refuseUnfit(patience, await readLiveSchema(session), needs);
}

async function apply({ execution, tell }: Migrating, standing: Standing, fake: boolean): Promise<void> {
  const { name, upSteps } = standing.migration;
  if (!fake) await execution.run(name, upSteps);
  await execution.record(name, applied(standing));
  tell({ kind: "applied", migration: name, message: `Applied ${name}` });
}

/**
 * Steps that the server refused when their migration ran are tried again; where they are let now, they and all that was
 * done after them are run again, as what follows may count on them. Those that only stand in during an adoption are not.
 */
async function completeRefused(migrating: Migrating, standings: readonly Standing[]): Promise<void> {
  const { session, execution, tell } = migrating;
  const done = standings.filter(({ state }) => state === "applied");
  const retried = (step: Step) => step.refusable !== undefined && step.subject !== ANYTHING;
  if (!done.some(({ migration }) => migration.upSteps.some(retried))) return;
  const schema = await readLiveSchema(session);
  const first = done.findIndex(({ migration }) =>
    migration.upSteps.some((step) => retried(step) && step.pending(schema)),
  );
  if (first === -1) return;
  const again = done.slice(first);
  await requireFit(migrating, again);
  for (const { migration } of again) {
    if (!(await execution.run(migration.name, migration.upSteps))) return;
    tell({ kind: "completed", migration: migration.name, message: `Completed ${migration.name}` });
  }
}
