import type { HistoryRow } from "./history.js";
import { statusOf } from "./status.js";
import type { SteppedMigration } from "./steppedMigration.js";

/** How far the database's schema is, beside what this version of the code expects. */
export interface SchemaVersion {
  /** The newest migration that this version has. */
  readonly known: string;
  /** The newest one that the database has; undefined: none. */
  readonly applied: string | undefined;
  /** How many of this version's the database lacks. */
  readonly pending: number;
  /** Whether a newer version has migrated the database. */
  readonly ahead: boolean;
}

export function schemaVersionOf(
  migrations: readonly SteppedMigration[],
  history: readonly HistoryRow[],
): SchemaVersion {
  const statuses = statusOf(migrations, history);
  const newest = (names: readonly { readonly name: string }[]) => names.at(-1)?.name;
  return {
    known: String(newest(migrations.toSorted((a, b) => a.timestamp - b.timestamp))),
    applied: newest(statuses.filter(({ state }) => state === "applied")),
    pending: statuses.filter(({ state }) => state !== "applied").length,
    ahead: statuses.some(({ problem }) => problem === "newer"),
  };
}
