import type { DataSource, QueryRunner } from "typeorm";
import { type DataError, MigrationSettingError, QueryError } from "../../errors.js";
import type { Lease } from "../lease.js";

/**
 * No statement waits longer than a second for a table or a row, so that those behind it in the queue do not either; it is
 * tried again instead. Sizes are to be of now.
 */
const SETTINGS =
  "SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1 /*!80000 , information_schema_stats_expiry = 0 */";
/** What is read to be written elsewhere stays locked until it is: in READ COMMITTED a count would miss what is written meanwhile. */
const ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
/** MySQL since 8.0.30. It would take the place of the keys that later migrations add. */
const INVISIBLE_KEYS = "sql_generate_invisible_primary_key";
const INVISIBLE_KEYS_VALUE = `SHOW VARIABLES LIKE '${INVISIBLE_KEYS}'`;
const NO_INVISIBLE_KEYS = `SET ${INVISIBLE_KEYS} = OFF`;
const NOT_ALLOWED = 1227;

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

  /** Tables get the keys they are made with and no other. @throws MigrationSettingError where only another user can see to it */
  async leaveKeysOut(): Promise<void> {
    const [setting] = await this.query<{ Value: string }>(INVISIBLE_KEYS_VALUE);
    if (setting?.Value !== "ON") return;
    try {
      await this.query(NO_INVISIBLE_KEYS);
    } catch (error) {
      if (!(error instanceof QueryError) || error.errno !== NOT_ALLOWED) throw error;
      throw new MigrationSettingError(INVISIBLE_KEYS, error);
    }
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
