import type { DataSource, EntityManager } from "typeorm";
import { QueryError } from "../../errors.js";
import { sendAlone } from "../borrowing.js";
import { runTransaction, type TransactionOptions } from "../transaction.js";

/** What a repository asks: the pool, or one transaction. Values travel as `?` parameters only. */
export interface Database {
  query<Row>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** For statements that change rows; `affectedRows` counts the rows that matched. */
  execute(sql: string, params?: readonly unknown[]): Promise<{ readonly affectedRows: number }>;
  /**
   * On the pool: one transaction, run again after deadlocks and lock waits.
   * Inside a transaction: joins it behind a savepoint, so that what fails and is caught leaves nothing half done.
   */
  transaction<T>(work: (database: Database) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

const DUPLICATE_ENTRY = 1062;
const NO_REFERENCED_ROW = 1452;

export function poolDatabase(dataSource: DataSource): Database {
  return {
    ...statementsOf((sql, params) => sendAlone(dataSource, sql, params)),
    transaction: (work, options) => runTransaction(dataSource, (tx) => work(transactionDatabase(tx.manager)), options),
  };
}

export function transactionDatabase(manager: EntityManager): Database {
  const statements = statementsOf((sql, params) => manager.query(sql, params as unknown[]));
  let savepoints = 0;
  const database: Database = {
    ...statements,
    transaction: async (work) => {
      savepoints += 1;
      const savepoint = `joined_${savepoints}`;
      await statements.execute(`SAVEPOINT ${savepoint}`);
      try {
        const result = await work(database);
        await statements.execute(`RELEASE SAVEPOINT ${savepoint}`);
        return result;
      } catch (error) {
        // After a deadlock or a lost connection there is no savepoint any more, nor anything to undo.
        await statements.execute(`ROLLBACK TO SAVEPOINT ${savepoint}`).catch(() => undefined);
        throw error;
      }
    },
  };
  return database;
}

type Send = <T>(sql: string, params: readonly unknown[]) => Promise<T>;

function statementsOf(send: Send): Pick<Database, "query" | "execute"> {
  const ask = <T>(sql: string, params: readonly unknown[] = []): Promise<T> => send(sql, params);
  return { query: ask, execute: ask };
}

/** Whether a row with the same key was there already. */
export function isDuplicate(error: unknown): error is QueryError {
  return error instanceof QueryError && error.errno === DUPLICATE_ENTRY;
}

/** Whether a row named a parent that is not there. */
export function isMissingParent(error: unknown): error is QueryError {
  return error instanceof QueryError && error.errno === NO_REFERENCED_ROW;
}
