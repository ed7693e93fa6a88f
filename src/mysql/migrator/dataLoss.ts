import { DataLossError } from "../../errors.js";
import type { MigratorSession } from "./session.js";

/** @throws DataLossError when there are rows in one of `tables`, telling of all */
export async function requireEmpty(session: MigratorSession, tables: readonly string[]): Promise<void> {
  const counted: { table: string; rows: number }[] = [];
  for (const table of tables) {
    const [row] = await session.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table}`);
    counted.push({ table, rows: Number(row?.n) });
  }
  const full = counted.filter(({ rows }) => rows > 0);
  if (full.length > 0) throw new DataLossError(full);
}

/** For the moment before `table` goes: waits for rows that are not committed yet, too. @throws DataLossError */
export async function requireStillEmpty(session: MigratorSession, table: string): Promise<void> {
  const rows = await session.query(`SELECT 1 FROM ${table} LIMIT 1 LOCK IN SHARE MODE`);
  if (rows.length > 0) await requireEmpty(session, [table]);
}
