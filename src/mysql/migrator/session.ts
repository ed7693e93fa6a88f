import type { DataSource, QueryRunner } from "typeorm";
import type { DataError } from "../../errors.js";
import type { Lease } from "../lease.js";

/**
 * No statement waits longer than a second for a table or a row, so that those behind it in the queue do not either; it is
 * tried again instead. Sizes are to be of now.
 */
const SETTINGS =
  "SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1 /*!80000 , information_schema_stats_expiry = 0 */";
/** What is read to be written elsewhere stays locked until it is: in READ COMMITTED a count would miss what is written meanwhile. */
const ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/** The one connection that migrates; it holds the lock, so whoever loses it cannot go on. */
export class MigratorSession {
  /** Undefined until it is set up. */
  connectionId: number | undefined;
  readonly #runner: QueryRunner;
  readonly #lease: Lease;

  private constructor(runner: QueryRunner, lease: Lease) {
    this.#runner = runner;
    this.#lease = lease;
  }

  /** @throws AcquireTimeoutError when the server gives no connection in time */
  static async open(dataSource: DataSource): Promise<MigratorSession> {
    const runner = dataSource.createQueryRunner();
    return new MigratorSession(runner, await runner.connect());
  }

  async setUp(): Promise<void> {
    await this.query(SETTINGS);
    await this.query(ISOLATION);
    const [row] = await this.query<{ id: unknown }>("SELECT CONNECTION_ID() AS id");
    this.connectionId = Number(row?.id);
  }

  /** Statements without rows answer with an empty list. */
  async query<Row>(sql: string, parameters?: readonly unknown[]): Promise<Row[]> {
    const answer: unknown = await this.#runner.query(sql, parameters && [...parameters]);
    return Array.isArray(answer) ? answer : [];
  }

  /** Ends the connection at its socket; what is in flight, and whatever follows, fails with `error`. */
  cut(error: DataError): void {
    this.#lease.destroy(error);
  }

  /** Closes the connection, since its session is changed; that frees the lock too. */
  async close(): Promise<void> {
    await this.#runner.release();
  }
}
