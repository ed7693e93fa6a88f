import { createPool, type Pool, type PoolConnection } from "mysql2/promise";
import type { Environment } from "../../../../src/testing/index.js";
import type { PlainDatabase } from "../repositories/runningServices.js";

export interface Answered {
  readonly sql: string;
  /** When it was sent and when it was answered, by `performance.now()`. */
  readonly began: number;
  readonly ended: number;
  readonly error?: Error;
}

/** Other programs on the database, with a driver and a pool of their own. Every statement's time and failure is kept. */
export class OtherPrograms implements PlainDatabase {
  readonly answered: Answered[] = [];
  /** How many transactions of several statements were a deadlock's victim. */
  deadlocks = 0;
  readonly #pool: Pool;

  constructor(environment: Environment) {
    this.#pool = createPool({
      host: "127.0.0.1",
      port: Number(environment.MYSQL_PORT),
      database: environment.MYSQL_DB_NAME as string,
      user: environment.MYSQL_USERNAME as string,
      password: environment.MYSQL_PASSWORD as string,
      connectionLimit: 10,
    });
  }

  async query(sql: string, parameters?: unknown[]) {
    return this.#timed(this.#pool, sql, parameters);
  }

  /** Run again after a deadlock, as every program has to. */
  async transaction<T>(...args: [Work<T>] | ["SERIALIZABLE", Work<T>]): Promise<T> {
    for (;;) {
      try {
        return await this.#once(args.at(-1) as Work<T>, args.length === 2);
      } catch (error) {
        if (!isDeadlock(error)) throw error;
        this.deadlocks += 1;
      }
    }
  }

  /** The longest that a statement had to wait, in milliseconds. */
  longestMs(pattern = /./): number {
    return Math.max(
      0,
      ...this.answered.filter(({ sql }) => pattern.test(sql)).map(({ began, ended }) => ended - began),
    );
  }

  /** But for what `deadlocks` counts. */
  failures(): string[] {
    return this.answered.flatMap(({ sql, error }) =>
      error && !(isDeadlock(error) && this.deadlocks > 0) ? [`${sql.slice(0, 80)}: ${error.message}`] : [],
    );
  }

  end(): Promise<void> {
    return this.#pool.end();
  }

  async #once<T>(work: Work<T>, serializable: boolean): Promise<T> {
    const connection = await this.#pool.getConnection();
    try {
      if (serializable) await connection.query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
      await connection.beginTransaction();
      const result = await work({ query: (sql, parameters) => this.#timed(connection, sql, parameters) });
      await connection.commit();
      return result;
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  }

  async #timed(through: Pool | PoolConnection, sql: string, parameters: unknown[] | undefined) {
    const began = performance.now();
    try {
      const [rows] = await through.query(sql, parameters);
      this.answered.push({ sql, began, ended: performance.now() });
      // biome-ignore lint/suspicious/noExplicitAny: rows are what the statement says.
      return rows as any;
    } catch (error) {
      this.answered.push({ sql, began, ended: performance.now(), error: error as Error });
      throw error;
    }
  }
}

type Work<T> = (transaction: Pick<PlainDatabase, "query">) => Promise<T>;

function isDeadlock(error: unknown): boolean {
  return (error as { errno?: number }).errno === 1213;
}
