import type { HistoryProblem } from "../../errors.js";
import { type HistoryRow, problemsOf, standingsOf } from "./history.js";
import type { SteppedMigration } from "./steppedMigration.js";

export interface MigrationStatus {
  readonly name: string;
  /** `reverting`: a run that took it back was ended; the next run, up or down, goes on. */
  readonly state: "applied" | "pending" | "reverting";
  /** By the database's clock, in UTC; undefined where that was not recorded. */
  readonly appliedAt: Date | undefined;
  /** Why the next run refuses. */
  readonly problem: HistoryProblem["problem"] | undefined;
}

/** Every migration that is here or was applied, in order. */
export function statusOf(migrations: readonly SteppedMigration[], history: readonly HistoryRow[]): MigrationStatus[] {
  const standings = standingsOf(migrations, history);
  const problems = new Map(problemsOf(standings, history).map(({ name, problem }) => [name, problem]));
  const here = standings.map(({ migration: { name, timestamp }, state, row }) => ({ name, timestamp, state, row }));
  const unknown = history.filter(({ name }) => !here.some((known) => known.name === name));
  const gone = unknown.map((row) => ({ name: row.name, timestamp: row.timestamp, state: "applied" as const, row }));
  return [...here, ...gone]
    .toSorted((a, b) => a.timestamp - b.timestamp)
    .map(({ name, state, row }) => ({
      name,
      state,
      appliedAt: row?.appliedAt ?? undefined,
      problem: problems.get(name),
    }));
}
