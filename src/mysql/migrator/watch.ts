import type { DataSource } from "typeorm";
import { withDeadline } from "../../deadline.js";
import { type DataError, DeadlineExceededError, DriverError, OperationAbortedError, QueryError } from "../../errors.js";
import { withLease } from "../borrowing.js";
import { lockName } from "./lock.js";
import { pause } from "./pause.js";
import type { Tell } from "./progress.js";
import type { MigratorSession } from "./session.js";

export interface WatchOptions {
  readonly tell: Tell;
  /** How long the server may leave the watch without an answer, in milliseconds, before the session is cut. */
  readonly silenceMs: number;
  /** Ends the run before its next statement. */
  readonly signal: AbortSignal | undefined;
  /** Ends the run at once. */
  readonly interrupt: AbortSignal | undefined;
}

/** A statement in flight, for the progress. */
export interface Work {
  readonly migration: string;
  readonly table: string;
}

const LOOK_EVERY_MS = 1_000;
const INTERRUPT_WITHIN_MS = 5_000;
/** While a trigger of another user's runs, the connection is listed as that user's; who has the lock everyone may see. */
const LOOK = `SELECT locked.holder, p.* FROM (SELECT IS_USED_LOCK(?) AS holder) AS locked
  LEFT JOIN information_schema.PROCESSLIST p ON p.ID = ?`;

interface Look {
  readonly holder: string | number | null;
  readonly STATE: string | null;
  /** MariaDB's. */
  readonly PROGRESS?: string | number;
}

/**
 * Looks at the session from a second connection once a second: tells what a long statement does, and cuts the session when
 * the server answers no more or has lost it, since a statement has no time limit that would end the wait. The user's own
 * connections are visible without any privilege.
 */
export class Watch {
  readonly #dataSource: DataSource;
  readonly #session: MigratorSession;
  readonly #options: WatchOptions;
  readonly #over = new AbortController();
  readonly #lock: string;
  readonly #looking: Promise<void>;
  #work: (Work & { readonly since: number }) | undefined;
  #answeredAt = performance.now();
  #locked = false;

  constructor(dataSource: DataSource, session: MigratorSession, options: WatchOptions) {
    this.#dataSource = dataSource;
    this.#session = session;
    this.#options = options;
    this.#lock = lockName(String(dataSource.options.database));
    this.#looking = this.#lookOn();
    options.interrupt?.addEventListener("abort", this.#interrupt, { once: true });
  }

  /** The caller has ended the run at once: whatever failed since then did so for that. */
  get isInterrupted(): boolean {
    return this.#options.interrupt?.aborted ?? false;
  }

  /** Tells of `work` while `run` takes long. @throws OperationAbortedError when one of the caller's signals has fired */
  async during<T>(work: Work, run: () => Promise<T>): Promise<T> {
    this.throwIfAborted();
    this.#work = { ...work, since: performance.now() };
    try {
      return await run();
    } finally {
      this.#work = undefined;
    }
  }

  /** @throws OperationAbortedError when one of the caller's signals has fired */
  throwIfAborted(): void {
    if (this.#options.signal?.aborted || this.isInterrupted) throw aborted();
  }

  /** Waits between two attempts. @throws OperationAbortedError when one of the caller's signals fires */
  async pause(ms: number): Promise<void> {
    const { signal, interrupt } = this.#options;
    const signals = [signal, interrupt].filter((each) => each !== undefined);
    await pause(ms, AbortSignal.any(signals));
    this.throwIfAborted();
  }

  async stop(): Promise<void> {
    this.#options.interrupt?.removeEventListener("abort", this.#interrupt);
    this.#over.abort();
    await this.#looking;
  }

  async #lookOn(): Promise<void> {
    while (await pause(LOOK_EVERY_MS, this.#over.signal)) {
      try {
        const id = this.#session.connectionId ?? 0;
        this.#learn(await this.#ask<Look>(LOOK, [this.#lock, id], this.#patienceMs()));
        this.#answeredAt = performance.now();
      } catch (error) {
        if (this.#over.signal.aborted) return;
        // A refusal is an answer too.
        if (error instanceof QueryError && error.errno !== undefined) this.#answeredAt = performance.now();
        else if (this.#silentMs() >= this.#options.silenceMs) this.#session.cut(this.#silence());
      }
    }
  }

  #silentMs(): number {
    return performance.now() - this.#answeredAt;
  }

  /** Never too short for an answer, as after this process itself was held up. */
  #patienceMs(): number {
    return Math.max(LOOK_EVERY_MS, this.#options.silenceMs - this.#silentMs());
  }

  #ask<Row>(sql: string, parameters: unknown[], timeoutMs: number): Promise<Row[]> {
    const overdue = () => new DeadlineExceededError("The server does not answer the migrator's watch");
    const options = { timeoutMs, overdue, signal: this.#over.signal };
    return withDeadline(options, (deadline) =>
      withLease(this.#dataSource, deadline, ({ runner }) => runner.query(sql, parameters), { spare: true }),
    );
  }

  /** Behind a proxy the watch may look at another server, where the session never has the lock. */
  #learn([look]: readonly Look[]): void {
    const holds = Number(look?.holder ?? 0) === this.#session.connectionId;
    if (this.#locked && !holds) this.#session.cut(lost());
    this.#locked ||= holds;
    if (look && this.#work) this.#tellOf(look, this.#work);
  }

  #tellOf(look: Look, { migration, table, since }: Work & { since: number }): void {
    const elapsedMs = Math.round(performance.now() - since);
    if (elapsedMs < LOOK_EVERY_MS) return;
    const state = look.STATE || undefined;
    const percent = Number(look.PROGRESS) > 0 ? Number(look.PROGRESS) : undefined;
    const details = [state, percent !== undefined && `${percent} %`].filter(Boolean).join(", ");
    const message = `${migration}: ${table}, ${Math.round(elapsedMs / 1_000)} s${details && ` (${details})`}`;
    this.#options.tell({ kind: "running", migration, table, elapsedMs, state, percent, message });
  }

  /** Left alone, the server would finish the statement, however long that takes. */
  readonly #interrupt = () => {
    if (this.#session.connectionId === undefined) {
      this.#session.cut(aborted());
      return;
    }
    const killing = this.#ask("KILL QUERY ?", [this.#session.connectionId], INTERRUPT_WITHIN_MS);
    killing.catch(() => this.#session.cut(aborted()));
  };

  #silence(): DataError {
    const work = this.#work;
    const what = work ? ` while ${work.migration} changed ${work.table}` : "";
    return new DeadlineExceededError(
      `The server has not answered for ${Math.round(this.#silentMs())} ms${what}. ` +
        "Run the migrations again once it does: they go on from where they are",
    );
  }
}

export function aborted(): DataError {
  return new OperationAbortedError("The migrations were interrupted; run them again to go on from where they are");
}

function lost(): DataError {
  return new QueryError(
    new DriverError("The server has lost the migrator's connection, and with it the lock", {
      driverCode: "PROTOCOL_CONNECTION_LOST",
    }),
  );
}
