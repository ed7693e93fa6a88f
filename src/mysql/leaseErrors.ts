import { type DataError, DeadlineExceededError, DriverError, InvalidInputError, QueryError } from "../errors.js";
import { commitsImplicitly, controlsTransaction } from "./statements.js";

/** Why a statement is not the user's to send inside a transaction. */
export function trespass(sql: string): DataError | undefined {
  if (controlsTransaction(sql))
    return new InvalidInputError(
      "statement",
      "would end the transaction: return from work to commit, throw to roll back, nest with tx.manager.transaction()",
    );
  if (!commitsImplicitly(sql)) return undefined;
  return new InvalidInputError("statement", "would commit the transaction by itself: run it outside of transactions");
}

/** What the driver is told when a connection is cut; it says nothing of the server. */
export class CutError extends Error {
  constructor() {
    super("The connection was closed by its user");
  }
}

/** mysql2 marks the errors that end a connection. */
export function isFatal(error: unknown): boolean {
  return (error as { fatal?: unknown } | null)?.fatal === true;
}

export function statementOverdue(timeoutMs: number): DataError {
  return new DeadlineExceededError(`A statement took longer than ${timeoutMs} ms; its connection was destroyed`);
}

export function overError(): DataError {
  return new QueryError(
    new DriverError("This transaction or query runner has ended; start a new one", { driverCode: "ERR_LEASE_OVER" }),
  );
}

export function goneError(): DataError {
  return new QueryError(
    new DriverError("The server has ended the transaction before its time: part of it may be committed", {
      driverCode: "ERR_TRANSACTION_GONE",
    }),
  );
}

export function lostError(): DataError {
  return new QueryError(new DriverError("The connection was lost", { driverCode: "PROTOCOL_CONNECTION_LOST" }));
}

export function closedByUser(): DataError {
  return new QueryError(new DriverError("The connection was closed"));
}
