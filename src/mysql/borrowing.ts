import type { DataSource, QueryRunner } from "typeorm";
import type { Deadline } from "../deadline.js";
import type { Lease } from "./lease.js";
import { type Borrowing, poolOf } from "./pool.js";

export interface Borrowed {
  readonly lease: Lease;
  readonly runner: QueryRunner;
}

/** Sends one statement outside of transactions. TypeORM is left out: a short one would take it a tenth longer. */
export async function sendAlone<T>(dataSource: DataSource, sql: string, params: readonly unknown[]): Promise<T> {
  const lease = await poolOf(dataSource).acquire();
  try {
    const [rows] = await lease.promise().query(sql, params);
    return rows as T;
  } finally {
    lease.release();
  }
}

/**
 * Runs `work` with a connection of its own. When the deadline comes first the connection is cut at its socket,
 * not given back busy, and the caller gets the deadline's error even if `work` never settles.
 */
export async function withLease<T>(
  dataSource: DataSource,
  deadline: Deadline,
  work: (borrowed: Borrowed) => Promise<T>,
  { spare = false }: Pick<Borrowing, "spare"> = {},
): Promise<T> {
  const runner = dataSource.createQueryRunner();
  const borrowing = { signal: deadline.signal, spare };
  const connecting: Promise<Lease> = poolOf(dataSource).borrowing(borrowing, () => runner.connect());
  const lease = await deadline.race(connecting).catch((error) => {
    // The connection may be there already, and only the deadline was faster to here.
    connecting.then((late) => late.release()).catch(() => undefined);
    throw error;
  });
  const cut = () => lease.destroy(deadline.error);
  deadline.signal.addEventListener("abort", cut, { once: true });
  try {
    deadline.throwIfOver();
    return await deadline.race(work({ lease, runner }));
  } finally {
    deadline.signal.removeEventListener("abort", cut);
    await runner.release();
  }
}
