/** How bad it is: `skipped` was not looked at, `warning` works today and will not always, `failed` keeps something from working. */
export type Verdict = "ok" | "skipped" | "warning" | "failed";

export interface Finding {
  readonly verdict: Verdict;
  /** What was found, in one line, without a secret. */
  readonly saw: string;
  /** What to do; of every warning and failure. */
  readonly advice?: string;
  /** Mends it; only for what can be mended without risk. Resolves with what was done, in one line. Run with `--fix` only. */
  readonly fix?: () => Promise<string>;
}

/** One thing the doctor looks at. `C` is what the checks of one store share: its configuration, and connections as they come. */
export interface Check<C> {
  /** For machines, such as `mysql.tls.expiry`. */
  readonly id: string;
  /** What is looked at, in a few words. */
  readonly title: string;
  /** Checks, by id, without a finding of theirs that is `ok` or `warning` this one makes no sense; it is then skipped. */
  readonly needs?: readonly string[];
  /** Has a deadline of its own (`timeoutMs` of the runner), after which it has failed. What it throws is a failure. */
  readonly run: (context: C, signal: AbortSignal) => Promise<Finding | readonly Finding[]>;
}

/** For what is wrong and keeps nothing from working. */
export function asWarning(finding: Finding): Finding {
  return finding.verdict === "failed" ? { ...finding, verdict: "warning" } : finding;
}
