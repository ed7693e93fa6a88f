import { type Deadline, withDeadline } from "../deadline.js";
import { DataError, DeadlineExceededError, oneLine, type Store } from "../errors.js";
import type { Check, Finding, Verdict } from "./check.js";

/** What became of one check; a check with several findings has one for each. */
export interface CheckReport {
  readonly id: string;
  readonly title: string;
  readonly store: Store;
  readonly verdict: Verdict;
  readonly saw: string;
  readonly advice?: string;
  /** What was mended; verdict and `saw` are then of the look afterwards. */
  readonly fixed?: string;
  /** Checks, by id, without which this one made no sense; of what was skipped for that reason only. */
  readonly needs?: readonly string[];
}

/** What the checks of one store look at. */
export interface Patient {
  /** What to do about an error that a check threw, if that is known. */
  advise?(error: unknown): string | undefined;
  /** Closes every connection; called once, at the end. Must not throw. */
  close(): Promise<void>;
}

export interface ExaminationOptions {
  /** Of each check, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Of each mending, in milliseconds. Default 60,000. */
  readonly fixTimeoutMs?: number;
  /** Mend what findings can mend. Default false. */
  readonly fix?: boolean;
  /** Leaves out the checks not yet begun, and ends the one that runs. */
  readonly signal?: AbortSignal | undefined;
  /** Is told of each check before it begins. Must not throw. */
  readonly onProgress?: (check: { readonly store: Store; readonly id: string; readonly title: string }) => void;
}

export const CHECK_TIMEOUT_MS = 5_000;
const FIX_TIMEOUT_MS = 60_000;
const BADNESS: readonly Verdict[] = ["ok", "skipped", "warning", "failed"];

/** The worst of these; `ok` of none. What was skipped counts as `ok`: what it needed has failed by itself. */
export function worstOf(verdicts: readonly Verdict[]): Exclude<Verdict, "skipped"> {
  const worst = verdicts.reduce((a, b) => (BADNESS.indexOf(a) < BADNESS.indexOf(b) ? b : a), "ok");
  return worst === "skipped" ? "ok" : worst;
}

/** Runs the checks one after the other and closes the patient. Never rejects: what a check throws is a failure of that check. */
export async function examine<C extends Patient>(
  store: Store,
  checks: readonly Check<C>[],
  patient: C,
  options: ExaminationOptions = {},
): Promise<CheckReport[]> {
  const reports: CheckReport[] = [];
  try {
    for (const check of checks) {
      const { id, title } = check;
      const findings = await new CheckRun(store, check, patient, options, reports).findings();
      reports.push(...findings.map((finding) => reportOf({ id, title, store }, finding)));
    }
  } finally {
    await patient.close();
  }
  return reports;
}

type Told = Finding & Pick<CheckReport, "fixed" | "needs">;

function reportOf(
  check: Pick<CheckReport, "id" | "title" | "store">,
  { verdict, saw, advice, fixed, needs }: Told,
): CheckReport {
  const { id, title, store } = check;
  const lines = {
    ...(advice && { advice: oneLine(advice) }),
    ...(fixed && { fixed: oneLine(fixed) }),
    ...(needs && { needs }),
  };
  return { id, title, store, verdict, saw: oneLine(saw), ...lines };
}

class CheckRun<C extends Patient> {
  constructor(
    readonly store: Store,
    readonly check: Check<C>,
    readonly patient: C,
    readonly options: ExaminationOptions,
    readonly before: readonly CheckReport[],
  ) {}

  async findings(): Promise<readonly Told[]> {
    const missing = this.check.needs?.filter((id) => !this.#holds(id)) ?? [];
    if (missing.length > 0) return [{ verdict: "skipped", saw: `needs ${missing.join(", ")}`, needs: missing }];
    if (this.options.signal?.aborted) return [{ verdict: "skipped", saw: "the examination was stopped" }];
    const { id, title } = this.check;
    this.options.onProgress?.({ store: this.store, id, title });
    const seen = await this.#look();
    const fixes = this.options.fix ? seen.flatMap(({ fix }) => fix ?? []) : [];
    return fixes.length === 0 ? seen : this.#mend(seen, fixes);
  }

  /** Whether something that this check can go on with was found: of several servers one may fail. */
  #holds(id: string): boolean {
    return this.before.some((report) => report.id === id && ["ok", "warning"].includes(report.verdict));
  }

  async #look(): Promise<readonly Finding[]> {
    const { timeoutMs = CHECK_TIMEOUT_MS } = this.options;
    try {
      const found = await this.#within(timeoutMs, (signal) => this.check.run(this.patient, signal));
      return Array.isArray(found) ? found : [found as Finding];
    } catch (error) {
      return [{ verdict: "failed", saw: textOf(error), advice: this.patient.advise?.(error) ?? adviceFor(error) }];
    }
  }

  /** What is left is told by a second look. */
  async #mend(seen: readonly Finding[], fixes: readonly (() => Promise<string>)[]): Promise<readonly Told[]> {
    const done: string[] = [];
    try {
      for (const fix of fixes) done.push(await this.#within(this.options.fixTimeoutMs ?? FIX_TIMEOUT_MS, fix));
    } catch (error) {
      const failed = `It could not be mended: ${textOf(error)}`;
      return seen.map((finding) => ({ ...finding, advice: finding.fix ? failed : (finding.advice ?? "") }));
    }
    const [first, ...others] = await this.#look();
    return first ? [{ ...first, fixed: done.join("; ") }, ...others] : [];
  }

  #within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const overdue = () => new DeadlineExceededError(`There was no answer within ${timeoutMs} ms`);
    return withDeadline({ timeoutMs, signal: this.options.signal, overdue }, (deadline: Deadline) =>
      deadline.race(Promise.resolve().then(() => work(deadline.signal))),
    );
  }
}

/** Other errors' texts may quote what they were given. */
function textOf(error: unknown): string {
  if (error instanceof DataError) return error.message;
  const { name, code } = error as { name?: string; code?: unknown };
  return `an unexpected ${name ?? "error"}${typeof code === "string" ? ` (${code})` : ""}`;
}

function adviceFor(error: unknown): string {
  if (error instanceof DeadlineExceededError)
    return "See whether the server is overloaded or frozen, or give the checks more time: --timeout";
  return "Look at what the message says and run the doctor again";
}
