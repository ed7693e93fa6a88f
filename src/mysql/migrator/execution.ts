import { MigrationFailedError, oneLine, QueryError } from "../../errors.js";
import { requireStillEmpty } from "./dataLoss.js";
import { type Entry, HISTORY } from "./history.js";
import type { LiveSchema, TableSize } from "./liveSchema.js";
import type { Patience } from "./patience.js";
import { sizeText, type Tell } from "./progress.js";
import { readLiveSchema, readTableSizes } from "./schemaReader.js";
import type { MigratorSession } from "./session.js";
import { ANYTHING, type Statement, type Step } from "./step.js";

/** Not online here (1845, 1846), or more was written meanwhile than the engine keeps (1799). */
const NOT_ONLINE = new Set([1845, 1846, 1799]);

/** Runs steps: one statement at a time, each only as far as the live schema still lacks it. */
export class Execution {
  readonly #session: MigratorSession;
  readonly #patience: Patience;
  readonly #tell: Tell;
  #schema: LiveSchema | undefined;
  /** What was changed since the schema was read. */
  readonly #changed = new Set<string>();
  #sizes: ReadonlyMap<string, TableSize> | undefined;
  /** Steps that follow one the server refused would be refused alike. */
  readonly #refused = new Set<number>();

  constructor(session: MigratorSession, patience: Patience, tell: Tell) {
    this.#session = session;
    this.#patience = patience;
    this.#tell = tell;
  }

  /** @returns whether every step could be done; false: the server refused one that can be done without */
  async run(migration: string, steps: readonly Step[], { allowDataLoss = false } = {}): Promise<boolean> {
    let whole = true;
    for (const step of steps) whole = (await this.#step(migration, step, allowDataLoss)) && whole;
    return whole;
  }

  /** Changes the history. Others may hold its table too, as a backup does. */
  async record(migration: string, [sql, parameters]: Entry): Promise<void> {
    await this.#patience.query({ migration, table: HISTORY }, sql, parameters);
  }

  async #step(migration: string, step: Step, allowDataLoss: boolean): Promise<boolean> {
    const statement = step.pending(await this.#schemaFor(step));
    if (!statement) return true;
    const { refusable } = step;
    if (refusable && this.#refused.has(refusable.errno)) return false;
    try {
      await this.#execute(migration, statement, allowDataLoss ? undefined : step.loses);
      return true;
    } catch (error) {
      if (!refusable || errnoOf(error) !== refusable.errno) throw error;
      this.#refused.add(refusable.errno);
      this.#tell({ kind: "refused", migration, table: statement.table, message: refusable.warning });
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

  async #execute(migration: string, statement: Statement, mustBeEmpty: string | undefined): Promise<void> {
    const { otherwise } = statement;
    try {
      await this.#announceAndRun(migration, statement, mustBeEmpty);
    } catch (error) {
      if (!otherwise || !NOT_ONLINE.has(errnoOf(error) ?? 0)) throw error;
      await this.#announceAndRun(migration, otherwise, mustBeEmpty);
    }
  }

  async #announceAndRun(migration: string, statement: Statement, mustBeEmpty: string | undefined): Promise<void> {
    const { sql, table, blocks, rebuilds, unchecked } = statement;
    this.#sizes ??= await readTableSizes(this.#session);
    const size = this.#sizes.get(table);
    const message = announcement(migration, statement, size);
    this.#tell({ kind: "statement", migration, sql, table, size, blocks, rebuilds, message });
    if (unchecked) await this.#session.query("SET foreign_key_checks = 0");
    try {
      await this.#patience.during({ migration, table }, async () => {
        // Anew before each attempt: others may have written while it waited.
        if (mustBeEmpty) await requireStillEmpty(this.#session, mustBeEmpty);
        await this.#session.query(sql);
      });
    } finally {
      // A session that is lost needs no setting.
      if (unchecked) await this.#session.query("SET foreign_key_checks = 1").catch(() => undefined);
    }
  }
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
