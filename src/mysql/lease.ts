import type { Socket } from "node:net";
import type { PoolConnection } from "mysql2";
import { type DataError, DeadlineExceededError, DriverError, QueryError, ReadOnlyError } from "../errors.js";
import { isRetryable, toDataError } from "./driverErrors.js";

/** mysql2's typings leave the socket out. */
interface SocketOwner {
  readonly stream: Pick<Socket, "destroy" | "writable">;
}

type Answer = [rows: unknown, fields: unknown];

export interface LeaseOptions {
  /** How long one statement may take, in milliseconds; undefined: for ever. */
  readonly statementTimeoutMs: number | undefined;
  /** Called once, when the connection is given back or destroyed. */
  readonly onEnd: () => void;
}

/** Statements whose effect outlives them in the session, and would meet the next borrower. */
const LEAVES_TRACES =
  /^\s*(?:SET\s+(?!TRANSACTION\b)|USE\s|LOCK\s|CREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY\s|XA\s|PREPARE\s)|\bGET_LOCK\s*\(/i;
const CONNECTION_LOST = "PROTOCOL_CONNECTION_LOST";
const BEGINS = /^\s*(?:BEGIN|START\s+TRANSACTION)\b/i;
const ROLLS_BACK = /^\s*ROLLBACK\b/i;
const ENDS = /^\s*(?:COMMIT|ROLLBACK)\s*;?\s*$/i;

/**
 * One borrowing of a connection. TypeORM takes it for a mysql2 connection: it uses `promise().query`, `query`, `release`
 * and the listeners. After the borrowing ends nothing gets through, even if someone kept it.
 */
export class Lease {
  readonly #connection: PoolConnection;
  readonly #options: LeaseOptions;
  #state: "open" | "sealed" | "over" = "open";
  #inFlight = 0;
  #inTransaction = false;
  #unfit = false;
  #doomed: DataError | undefined;
  #destroyedWith: DataError | undefined;

  constructor(connection: PoolConnection, options: LeaseOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Why the transaction cannot be committed any more: a deadlock, a lock wait, a read-only answer, a lost connection. */
  get doomed(): DataError | undefined {
    return this.#doomed;
  }

  promise(): { query: (sql: string, values?: unknown) => Promise<Answer> } {
    return { query: (sql, values) => this.#ask(sql, values) };
  }

  /** For TypeORM's `stream()`: rows as they come. */
  query(sql: string, values?: unknown): ReturnType<PoolConnection["query"]> {
    const refusal = this.#refusal(sql);
    if (refusal) throw refusal;
    const settle = this.#begin(sql);
    const command = this.#connection.query(sql, values as unknown[]);
    const emit = command.emit.bind(command);
    // mysql2 tells only the connection when that is lost, and such a stream would never end.
    const onLost = (error: unknown) => command.emit("error", error as Error);
    this.#connection.once("error", onLost);
    command.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event !== "end" && event !== "error") return emit(event, ...args);
      this.#connection.removeListener("error", onLost);
      const failure = settle(event === "error" ? args[0] : undefined);
      if (!failure) return emit(event);
      // A reader that gave up listens no more, and an error without a listener would end the process.
      return command.listenerCount("error") > 0 && emit(event, failure);
    };
    return command;
  }

  /** A statement of the transaction's own frame; goes through a sealed lease too. */
  async control(sql: string): Promise<void> {
    if (this.#state === "over") throw overError();
    await this.#send(sql);
  }

  /** Sets the session up; unlike a user's SET this belongs to the connection. */
  async prepareSession(sql: string): Promise<void> {
    await this.#send(sql);
    this.#unfit = false;
  }

  /** @throws QueryError when the connection is known to be lost, so that nothing more can be sent */
  requireConnection(): void {
    if (this.#state === "over") throw overError();
    if (!this.#stream.writable) throw toDataError({ message: "The connection was lost", code: CONNECTION_LOST });
  }

  /** From now on only `control` gets through. */
  seal(): void {
    if (this.#state === "open") this.#state = "sealed";
  }

  /** Gives the connection back, or closes it when the next borrower would find it changed or busy. */
  release(): void {
    if (this.#state === "over") return;
    if (this.#unfit || this.#inTransaction || this.#inFlight > 0) {
      this.destroy();
      return;
    }
    this.#state = "over";
    this.#connection.release();
    this.#options.onEnd();
  }

  /** Cuts the connection at its socket: what is in flight fails at once with `error`. */
  destroy(error: DataError = new QueryError(new DriverError("The connection was closed"))): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#cut(error);
    this.#options.onEnd();
  }

  listeners(event: string): unknown[] {
    return this.#connection.listeners(event);
  }

  on(event: string, listener: (...args: unknown[]) => void): this {
    this.#connection.on(event, listener);
    return this;
  }

  get #stream(): SocketOwner["stream"] {
    return (this.#connection as unknown as SocketOwner).stream;
  }

  async #ask(sql: string, values: unknown): Promise<Answer> {
    const refusal = this.#refusal(sql);
    if (refusal) throw refusal;
    return this.#send(sql, values);
  }

  #send(sql: string, values?: unknown): Promise<Answer> {
    const settle = this.#begin(sql);
    return new Promise((resolve, reject) => {
      try {
        this.#connection.query(sql, values as unknown[], (error, rows, fields) => {
          const failure = settle(error ?? undefined);
          if (failure) return reject(failure);
          if (ENDS.test(sql)) this.#leaveTransaction();
          resolve([rows, fields]);
        });
      } catch (error) {
        reject(settle(error));
      }
    });
  }

  /** Starts the statement's clock. The function returned stops it and turns a driver's error into ours. */
  #begin(sql: string): (error?: unknown) => DataError | undefined {
    if (BEGINS.test(sql)) this.#inTransaction = true;
    if (LEAVES_TRACES.test(sql)) this.#unfit = true;
    this.#inFlight += 1;
    const { statementTimeoutMs } = this.#options;
    const timer =
      statementTimeoutMs && setTimeout(() => this.#cut(statementOverdue(statementTimeoutMs)), statementTimeoutMs);
    let settled = false;
    return (error) => {
      if (!settled) this.#inFlight -= 1;
      settled = true;
      clearTimeout(timer);
      return error === undefined ? undefined : this.#failure(error);
    };
  }

  #failure(error: unknown): DataError {
    const failure = this.#destroyedWith ?? toDataError(error);
    if (failure instanceof ReadOnlyError) this.#unfit = true;
    if (failure instanceof ReadOnlyError || isRetryable(failure) || isFatal(error)) this.#doomed ??= failure;
    return failure;
  }

  /** A plain error goes to the driver, since the driver writes on it. */
  #cut(error: DataError): void {
    this.#unfit = true;
    this.#destroyedWith ??= error;
    this.#stream.destroy(new Error("The connection was closed by its user"));
  }

  #leaveTransaction(): void {
    this.#inTransaction = false;
    this.#doomed = undefined;
  }

  /** After a deadlock the server has rolled back: statements that follow would each commit on their own. */
  #refusal(sql: string): DataError | undefined {
    if (this.#state !== "open") return this.#destroyedWith ?? overError();
    return this.#inTransaction && !ROLLS_BACK.test(sql) ? this.#doomed : undefined;
  }
}

/** mysql2 marks the errors that end a connection. */
function isFatal(error: unknown): boolean {
  return (error as { fatal?: unknown } | null)?.fatal === true;
}

function statementOverdue(timeoutMs: number): DataError {
  return new DeadlineExceededError(`A statement took longer than ${timeoutMs} ms; its connection was destroyed`);
}

function overError(): DataError {
  return new QueryError(
    new DriverError("This transaction or query runner has ended; start a new one", { driverCode: "ERR_LEASE_OVER" }),
  );
}
