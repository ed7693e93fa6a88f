import { type DataError, MigrationBlockedError, MigrationFailedError, oneLine, QueryError } from "../../errors.js";
import { isRetryable } from "../driverErrors.js";
import { type Entry, HISTORY } from "./history.js";
import { holdersOf, holderText } from "./holders.js";
import type { LiveSchema, TableSize } from "./liveSchema.js";
import { sizeText, type Tell } from "./progress.js";
import { readLiveSchema, readTableSizes } from "./schemaReader.js";
import type { MigratorSession } from "./session.js";
import { ANYTHING, type Statement, type Step } from "./step.js";
import type { Watch, Work } from "./watch.js";

export interface ExecutionOptions {
  readonly tell: Tell;
  /** How long a statement may be kept waiting by others, over all its attempts, in milliseconds. */
  readonly blockedTimeoutMs: number;
}

/** Not online here (1845, 1846), or more was written meanwhile than the engine keeps (1799). */
const NOT_ONLINE = new Set([1845, 1846, 1799]);
/** Between two attempts others get through; the last one stays. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000] as const;
/** However long each attempt took: one that rebuilt for an hour is to be tried again too. */
const LEAST_ATTEMPTS = 3;
/** Runs steps: one statement at a time, each only as far as the live schema still lacks it. */
export class Execution {
  readonly #session: MigratorSession;
  readonly #watch: Watch;
  readonly #options: ExecutionOptions;
  #schema: LiveSchema | undefined;
  /** What was changed since the schema was read. */
  readonly #changed = new Set<string>();
  #sizes: ReadonlyMap<string, TableSize> | undefined;
  /** Steps that follow one the server refused would be refused alike. */
  readonly #refused = new Set<number>();

  constructor(session: MigratorSession, watch: Watch, options: ExecutionOptions) {
    this.#session = session;
    this.#watch = watch;
    this.#options = options;
  }

  /** @returns whether every step could be done; false: the server refused one that can be done without */
  async run(migration: string, steps: readonly Step[]): Promise<boolean> {
    let whole = true;
    for (const step of steps) whole = (await this.#step(migration, step)) && whole;
    return whole;
  }

  /** Changes the history. Others may hold its table too, as a backup does. */
  async record(migration: string, [sql, parameters]: Entry): Promise<void> {
    await this.#insist({ migration, table: HISTORY }, sql, parameters);
  }

  async #step(migration: string, step: Step): Promise<boolean> {
    const statement = step.pending(await this.#schemaFor(step));
    if (!statement) return true;
    const { refusable } = step;
    if (refusable && this.#refused.has(refusable.errno)) return false;
    try {
      await this.#execute(migration, statement);
      return true;
    } catch (error) {
      if (!refusable || errnoOf(error) !== refusable.errno) throw error;
      this.#refused.add(refusable.errno);
      this.#options.tell({ kind: "refused", migration, table: statement.table, message: refusable.warning });
      return false;
    } finally {
      this.#changed.add(step.subject);
    }
  }

  /** Reading takes longer than most statements of a fresh database, so it is done only where it may show something new. */
  async #schemaFor({ subject }: Step): Promise<LiveSchema> {
    if (this.#schema && !this.#hasChanged(subject)) return this.#schema;
    this.#changed.clear();
    this.#schema = await readLiveSchema(this.#session);
    return this.#schema;
  }

  /** An index is another one once its table is. */
  #hasChanged(subject: string): boolean {
    if (subject === ANYTHING) return this.#changed.size > 0;
    const [table] = subject.split(".") as [string];
    return [ANYTHING, table, subject].some((each) => this.#changed.has(each));
  }

  async #execute(migration: string, statement: Statement): Promise<void> {
    const { otherwise } = statement;
    try {
      await this.#announceAndRun(migration, statement);
    } catch (error) {
      if (!otherwise || !NOT_ONLINE.has(errnoOf(error) ?? 0)) throw error;
      await this.#announceAndRun(migration, otherwise);
    }
  }

  async #announceAndRun(migration: string, statement: Statement): Promise<void> {
    const { sql, table, blocks, rebuilds, unchecked } = statement;
    this.#sizes ??= await readTableSizes(this.#session);
    const size = this.#sizes.get(table);
    const message = announcement(migration, statement, size);
    this.#options.tell({ kind: "statement", migration, sql, table, size, blocks, rebuilds, message });
    if (unchecked) await this.#session.query("SET foreign_key_checks = 0");
    try {
      await this.#insist({ migration, table }, sql);
    } finally {
      // A session that is lost needs no setting.
      if (unchecked) await this.#session.query("SET foreign_key_checks = 1").catch(() => undefined);
    }
  }

  /** Tries again for as long as others use the table. */
  async #insist(work: Work, sql: string, parameters?: readonly unknown[]): Promise<void> {
    const began = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#watch.during(work, () => this.#session.query(sql, parameters));
        return;
      } catch (error) {
        if (!isRetryable(error)) throw failed(work, error);
        const late = performance.now() - began >= this.#options.blockedTimeoutMs;
        if (late && attempt >= LEAST_ATTEMPTS) throw await this.#blocked(work, error);
        await this.#pauseAfter(attempt, work, error);
      }
    }
  }

  async #pauseAfter(attempt: number, { migration, table }: Work, cause: DataError): Promise<void> {
    const pauseMs = PAUSES_MS[Math.min(attempt, PAUSES_MS.length) - 1] as number;
    const heldBy = await holdersOf(this.#session, table);
    const message = `${migration}: ${table} is in use${byText(heldBy)}; trying again in ${pauseMs} ms (attempt ${attempt})`;
    this.#options.tell({ kind: "retrying", migration, table, attempt, pauseMs, heldBy, cause, message });
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

function errnoOf(error: unknown): number | undefined {
  const cause = error instanceof MigrationFailedError ? error.cause : error;
  return cause instanceof QueryError ? cause.errno : undefined;
}

function announcement(
  migration: string,
  { sql, table, blocks, rebuilds }: Statement,
  size: TableSize | undefined,
): string {
  const rows = size && size.rows > 0 ? size : undefined;
  if (!rows || (!rebuilds && blocks === "nobody")) return `${migration}: ${oneLine(sql).slice(0, 120).trimEnd()}`;
  const what = `${migration}: ${rebuilds ? "rebuilding" : "changing"} ${table}, ${sizeText(rows)}`;
  if (blocks === "nobody") return `${what}; nobody waits`;
  return `${what}: its ${blocks === "writers" ? "writers wait" : "readers and writers wait"}`;
}
