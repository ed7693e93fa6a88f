import type { DataSource, QueryRunner } from "typeorm";
import type { Deadline } from "../deadline.js";
import type { Lease } from "./lease.js";
import { poolOf } from "./pool.js";

export interface Borrowed {
  readonly lease: Lease;
  readonly runner: QueryRunner;
}

/**
 * Runs `work` with a connection of its own. When the deadline comes first the connection is cut at its socket,
 * not given back busy, and the caller gets the deadline's error even if `work` never settles.
 */
export async function withLease<T>(
  dataSource: DataSource,
  deadline: Deadline,
  work: (borrowed: Borrowed) => Promise<T>,
): Promise<T> {
  const runner = dataSource.createQueryRunner();
  // A connection that arrives after the deadline goes back by itself: the pool knows the signal.
  const lease: Lease = await deadline.race(poolOf(dataSource).withSignal(deadline.signal, () => runner.connect()));
  const cut = () => lease.destroy(deadline.error);
  deadline.signal.addEventListener("abort", cut, { once: true });
  try {
    return await deadline.race(work({ lease, runner }));
  } finally {
    deadline.signal.removeEventListener("abort", cut);
    await runner.release();
  }
}
