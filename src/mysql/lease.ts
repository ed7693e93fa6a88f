import type { Socket } from "node:net";
import type { PoolConnection } from "mysql2";
import { type DataError, ReadOnlyError } from "../errors.js";
import { type Answer, saysOutside } from "./answer.js";
import { isRetryable, toDataError } from "./driverErrors.js";
import {
  CutError,
  closedByUser,
  goneError,
  isFatal,
  lostError,
  overError,
  statementOverdue,
  trespass,
} from "./leaseErrors.js";
import { type Command, createRowStream, emitFailure, pour } from "./rowStream.js";
import { beginsTransaction, endsTransaction, leavesTraces, rollsBack, setsNextTransaction } from "./statements.js";
import type { StatementWatch } from "./telemetry/statementWatch.js";

/** mysql2's typings leave the socket out. */
interface SocketOwner {
  readonly stream: Pick<Socket, "destroy" | "writable">;
}

export interface LeaseOptions {
  /** How long one statement may take, in milliseconds; undefined: for ever. */
  readonly statementTimeoutMs: number | undefined;
  /** Called once, when the connection is given back or destroyed. */
  readonly onEnd: () => void;
  /** Is told that a statement found the connection broken. */
  readonly onLost: (error: DataError) => void;
  readonly statements: StatementWatch;
}

/**
 * One borrowing of a connection. TypeORM takes it for a mysql2 connection: it uses `promise().query`, `query`, `release`
 * and the listeners. After the borrowing ends nothing gets through, even if someone kept it.
 */
export class Lease {
  readonly #connection: PoolConnection;
  readonly #options: LeaseOptions;
  #state: "open" | "sealed" | "over" = "open";
  /** Settles when the statement asked last has. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #inFlight = 0;
  #inTransaction = false;
  #guarded = false;
  #nextTransactionSet = false;
  #unfit = false;
  #doomed: DataError | undefined;
  #destroyedWith: DataError | undefined;

  constructor(connection: PoolConnection, options: LeaseOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Why the transaction cannot be committed any more: a deadlock, a lock wait, a read-only answer, a lost connection … */
  get doomed(): DataError | undefined {
    return this.#doomed;
  }

  promise(): { query: (sql: string, values?: unknown) => Promise<Answer> } {
    return { query: (sql, values) => this.#ask(sql, values) };
  }

  /** For TypeORM's `stream()`: rows as they come. */
  query(sql: string, values?: unknown): Command {
    const refusal = this.#refusal(sql);
    if (refusal) throw refusal;
    const command = createRowStream(this.#connection, sql, values);
    this.#traced(sql, () => pour(this.#connection, command, this.#begin(sql))).catch((error) =>
      emitFailure(command, error),
    );
    return command;
  }

  /** A statement of the transaction's own frame; goes through a sealed lease too. `check` has the last word before it. */
  async control(sql: string, check?: () => void): Promise<void> {
    await this.#traced(sql, () => {
      check?.();
      return this.#send(sql);
    });
  }

  /** From now on the transaction can neither be ended nor left by a statement of the lease's user. */
  guardTransaction(): void {
    this.#guarded = true;
  }

  /** Sets the session up; unlike a user's SET this belongs to the connection. */
  async prepareSession(sql: string): Promise<void> {
    await this.control(sql);
    this.#unfit = false;
  }

  /** @throws QueryError when the connection is known to be lost, so that nothing more can be sent */
  requireConnection(): void {
    if (this.#state === "over") throw overError();
    if (!this.#stream.writable) throw lostError();
  }

  /** From now on only `control` gets through. */
  seal(): void {
    if (this.#state === "open") this.#state = "sealed";
  }

  /** Gives the connection back, or closes it when the next borrower would find it changed or busy. */
  release(): void {
    if (this.#state === "over") return;
    if (this.#unfit || this.#inTransaction || this.#nextTransactionSet || this.#waiting + this.#inFlight > 0) {
      this.destroy();
      return;
    }
    this.#state = "over";
    this.#connection.release();
    this.#options.onEnd();
  }

  /** Cuts the connection at its socket: what is in flight fails at once with `error`. */
  destroy(error: DataError = closedByUser()): void {
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
    return this.#traced(sql, () => this.#send(sql, values));
  }

  #traced<T>(sql: string, run: () => Promise<T>): Promise<T> {
    const { statements } = this.#options;
    return statements.tracing ? statements.traced(sql, () => this.#inTurn(sql, run)) : this.#inTurn(sql, run);
  }

  /** One statement at a time: what waits behind a deadlock must not be sent, as each would commit on its own. */
  #inTurn<T>(sql: string, run: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const outcome = this.#turn.then(() => {
      this.#waiting -= 1;
      const refusal = this.#refusalAtTurn(sql);
      if (refusal) throw refusal;
      return run();
    });
    this.#turn = outcome.catch((error) => this.#probe(error));
    return outcome;
  }

  #send(sql: string, values?: unknown): Promise<Answer> {
    const settle = this.#begin(sql);
    return new Promise((resolve, reject) => {
      try {
        this.#connection.query(sql, values as unknown[], (error, rows, fields) => {
          const failure = settle(error ?? undefined);
          if (failure) return reject(failure);
          this.#learn(sql, [rows, fields]);
          resolve([rows, fields]);
        });
      } catch (error) {
        reject(settle(error));
      }
    });
  }

  /** Starts the statement's clock. The function returned stops it and turns a driver's error into ours. */
  #begin(sql: string): (error?: unknown) => DataError | undefined {
    if (beginsTransaction(sql)) this.#inTransaction = true;
    if (leavesTraces(sql)) this.#unfit = true;
    if (setsNextTransaction(sql)) this.#nextTransactionSet = true;
    this.#inFlight += 1;
    const { statementTimeoutMs, statements } = this.#options;
    const sent = statements.sent(sql);
    const timer =
      statementTimeoutMs && setTimeout(() => this.#cut(statementOverdue(statementTimeoutMs)), statementTimeoutMs);
    let settled = false;
    return (error) => {
      clearTimeout(timer);
      const failure = error === undefined ? undefined : this.#failure(error);
      if (!settled) {
        this.#inFlight -= 1;
        if (sent) statements.over(sent, failure);
      }
      settled = true;
      return failure;
    };
  }

  /** What the answer to a statement says about the transaction. */
  #learn(sql: string, answer: Answer): void {
    if (beginsTransaction(sql)) this.#nextTransactionSet = false;
    if (endsTransaction(sql)) this.#leaveTransaction();
    else if (this.#guarded && saysOutside(answer)) this.#doomed ??= goneError();
  }

  /** Whether an error undid the whole transaction depends on the server and its settings, so it is asked. */
  async #probe(error: unknown): Promise<void> {
    if (!this.#guarded || this.#doomed || this.#refusalAtTurn("")) return;
    const answer = await this.#send("DO 0").catch(() => undefined);
    if (answer && saysOutside(answer)) this.#doomed = error as DataError;
  }

  #failure(error: unknown): DataError {
    const failure = this.#destroyedWith ?? toDataError(error);
    if (isFatal(error) && !this.#destroyedWith) this.#options.onLost(failure);
    if (failure instanceof ReadOnlyError) this.#unfit = true;
    if (failure instanceof ReadOnlyError || isRetryable(failure) || isFatal(error)) this.#doomed ??= failure;
    return failure;
  }

  /** A plain error goes to the driver, since the driver writes on it. */
  #cut(error: DataError): void {
    this.#unfit = true;
    this.#destroyedWith ??= error;
    this.#stream.destroy(new CutError());
  }

  #leaveTransaction(): void {
    this.#inTransaction = false;
    this.#doomed = undefined;
  }

  #refusal(sql: string): DataError | undefined {
    if (this.#state !== "open") return this.#destroyedWith ?? overError();
    return (this.#guarded ? trespass(sql) : undefined) ?? this.#refusalAtTurn(sql);
  }

  /** After a deadlock the server has rolled back: statements that follow would each commit on their own. */
  #refusalAtTurn(sql: string): DataError | undefined {
    if (this.#destroyedWith || this.#state === "over") return this.#destroyedWith ?? overError();
    return this.#inTransaction && !rollsBack(sql) ? this.#doomed : undefined;
  }
}
