import type { ConfigNotice } from "../config/index.js";
import type { Logger } from "../telemetry/logger.js";
import { EXIT, exitCodeOf } from "./exitCodes.js";
import { listenForInterruption } from "./interruption.js";
import { createReporter, type Reporter } from "./reporter.js";

/** How every command that reports is run. */
export interface RunOptions {
  readonly json?: boolean | undefined;
  /** With `json`: each result is one line, after others perhaps. */
  readonly lines?: boolean;
  /** More on an error, for people and for machines. */
  readonly adviceOn?: (error: unknown) => { readonly details: string; readonly data: object } | undefined;
}

/** Runs a command's `work`, which resolves with its exit code: tells what it throws, sets the exit code of the process, never throws. */
export async function runCommand(options: RunOptions, work: (reporter: Reporter) => Promise<number>): Promise<void> {
  const { json = false, lines = false, adviceOn } = options;
  const reporter = createReporter({ json, lines }, { out: process.stdout, err: process.stderr });
  try {
    process.exitCode = await work(reporter);
  } catch (error) {
    reporter.failure(error, adviceOn?.(error));
    process.exitCode = exitCodeOf(error);
  }
}

/** For what only looks on: Ctrl-C and SIGTERM fire the signal of `work`; whatever it then throws, the exit code is theirs. */
export async function untilStopped(work: (ended: AbortSignal) => Promise<void>): Promise<number> {
  const interruption = listenForInterruption();
  try {
    await work(interruption.signal);
  } catch (error) {
    if (!interruption.received) throw error;
  } finally {
    interruption.end();
  }
  return interruption.received ? EXIT[interruption.received] : EXIT.done;
}

/** What the configuration makes worth a warning. */
export function tellNotices(notices: readonly ConfigNotice[], reporter: Reporter): void {
  for (const { level, variable, message } of notices) if (level === "warn") reporter.warn(`${variable}: ${message}`);
}

/** Tells what is logged of the configuration. All else is told by a command's own words: its progress, and what fails. */
export function noticesTo(reporter: Reporter): Logger {
  const nothing = () => undefined;
  const warn = (fields: object, message: string) => {
    if ((fields as { readonly event?: string }).event === "config.notice") reporter.warn(message);
  };
  return { debug: nothing, info: nothing, warn, error: warn };
}
