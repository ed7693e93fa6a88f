import type { DataSource } from "../../../../src/mysql/dataSource.js";
import { type Database, poolDatabase } from "../../../../src/mysql/repositories/database.js";

interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A Database that writes down what passes through it, inside transactions too. */
export function recordingDatabase(dataSource: DataSource): { database: Database; statements: Statement[] } {
  const statements: Statement[] = [];
  const recording = (inner: Database): Database => ({
    query: (sql, params = []) => {
      statements.push({ sql, params });
      return inner.query(sql, params);
    },
    execute: (sql, params = []) => {
      statements.push({ sql, params });
      return inner.execute(sql, params);
    },
    transaction: (work, options) => inner.transaction((tx) => work(recording(tx)), options),
  });
  return { database: recording(poolDatabase(dataSource)), statements };
}

interface PlanRow {
  readonly table: string | null;
  readonly type: string | null;
  readonly key: string | null;
}

/** What JSON_TABLE makes of a statement's parameter: no longer than what the caller gave. */
const OWN_LIST = "wanted";

/** The tables that the statements read from end to end, each with its statement. Derived tables are told by their sources. */
export async function fullScans(dataSource: DataSource, statements: readonly Statement[]): Promise<string[]> {
  const scans: string[] = [];
  for (const { sql, params } of statements) {
    if (!/^\s*(?:SELECT|UPDATE|DELETE|INSERT.*\bSELECT\b)/is.test(sql)) continue;
    const plan: PlanRow[] = await dataSource.query(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, [...params]);
    for (const { table, type } of plan) {
      const derived = table === null || table.startsWith("<") || table === OWN_LIST;
      const target = /^\s*INSERT/i.test(sql) && sql.includes(`INTO ${table}`);
      if (!derived && !target && (type === "ALL" || type === "index")) scans.push(`${table} (${type}): ${sql}`);
    }
  }
  return scans;
}
