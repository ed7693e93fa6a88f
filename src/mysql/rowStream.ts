import { EventEmitter } from "node:events";
import { Connection, type PoolConnection } from "mysql2";
import type { DataError } from "../errors.js";

export type Command = ReturnType<PoolConnection["query"]>;

/** Typed without its last parameter. */
const createQuery = Connection.createQuery as unknown as (
  sql: string,
  values: unknown,
  done: undefined,
  config: unknown,
) => Command;

/** A statement whose rows come as a stream; `pour` sends it. */
export function createRowStream(connection: PoolConnection, sql: string, values: unknown): Command {
  return createQuery(sql, values, undefined, connection.config);
}

/** Settles when the last row has come; a failure is not yet told to the reader. */
export function pour(
  connection: PoolConnection,
  command: Command,
  settle: (error?: unknown) => DataError | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const emit = command.emit.bind(command);
    const end = (error?: unknown) => {
      connection.removeListener("error", end);
      const failure = settle(error);
      if (failure) return reject(failure);
      resolve();
      emit("end");
    };
    // mysql2 tells only the connection when that is lost, and such a stream would never end.
    connection.once("error", end);
    let ended = false;
    command.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event !== "end" && event !== "error") return emit(event, ...args);
      if (!ended) end(event === "error" ? args[0] : undefined);
      ended = true;
      return true;
    };
    try {
      connection.query(command);
    } catch (error) {
      end(error);
    }
  });
}

/** A reader that gave up listens no more, and an error without a listener would end the process. */
export function emitFailure(command: Command, error: unknown): void {
  if (command.listenerCount("error") > 0) EventEmitter.prototype.emit.call(command, "error", error);
}
