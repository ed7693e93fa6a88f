import { type DataError, MigrationBlockedError, MigrationFailedError, QueryError } from "../../errors.js";
import { isRetryable } from "../driverErrors.js";
import { holdersOf, holderText } from "./holders.js";
import type { Tell } from "./progress.js";
import type { MigratorSession } from "./session.js";
import type { Watch, Work } from "./watch.js";

export interface PatienceOptions {
  readonly tell: Tell;
  /** How long a statement may be kept waiting by others, over all its attempts, in milliseconds. */
  readonly blockedTimeoutMs?: number | undefined;
}

/** Between two attempts others get through; the last one stays. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000] as const;
/** However long each attempt took: one that rebuilt for an hour is to be tried again too. */
const LEAST_ATTEMPTS = 3;

/** Sends statements that others may keep waiting, again and again for as long as they use the table. */
export class Patience {
  readonly #session: MigratorSession;
  readonly #watch: Watch;
  readonly #tell: Tell;
  readonly #blockedTimeoutMs: number;

  constructor(session: MigratorSession, watch: Watch, { tell, blockedTimeoutMs = 60_000 }: PatienceOptions) {
    this.#session = session;
    this.#watch = watch;
    this.#tell = tell;
    this.#blockedTimeoutMs = blockedTimeoutMs;
  }

  /** @throws what `during` throws */
  query<Row>(work: Work, sql: string, parameters?: readonly unknown[]): Promise<Row[]> {
    return this.during(work, () => this.#session.query<Row>(sql, parameters));
  }

  /** `run` may be called several times. @throws MigrationBlockedError, MigrationFailedError, and what `run` throws else */
  async during<T>(work: Work, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#watch.during(work, run);
      } catch (error) {
        if (!isRetryable(error)) throw failed(work, error);
        const late = performance.now() - began >= this.#blockedTimeoutMs;
        if (late && attempt >= LEAST_ATTEMPTS) throw await this.#blocked(work, error);
        await this.#pauseAfter(attempt, work, error);
      }
    }
  }

  async #pauseAfter(attempt: number, { migration, table }: Work, cause: DataError): Promise<void> {
    const pauseMs = PAUSES_MS[Math.min(attempt, PAUSES_MS.length) - 1] as number;
    const heldBy = await holdersOf(this.#session, table);
    const message = `${migration}: ${table} is in use${byText(heldBy)}; trying again in ${pauseMs} ms (attempt ${attempt})`;
    this.#tell({ kind: "retrying", migration, table, attempt, pauseMs, heldBy, cause, message });
    await this.#watch.pause(pauseMs);
  }

  async #blocked({ migration, table }: Work, cause: DataError): Promise<MigrationBlockedError> {
    return new MigrationBlockedError(migration, table, byText(await holdersOf(this.#session, table)), { cause });
  }
}

function failed({ migration, table }: Work, error: unknown): unknown {
  return error instanceof QueryError ? new MigrationFailedError(migration, table, error) : error;
}

function byText(holders: readonly { connectionId: number }[]): string {
  return holders.length === 0 ? "" : ` by ${holders.map(holderText).join(", ")}`;
}
