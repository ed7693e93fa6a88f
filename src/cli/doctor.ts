import { loadDotenv } from "../config/index.js";
import { type CheckReport, type ExaminationOptions, examine, worstOf } from "../doctor/runner.js";
import type { Store } from "../errors.js";
import { MysqlPatient, mysqlChecks } from "../mysql/doctor/index.js";
import { RedisPatient, redisChecks } from "../redis/doctor/index.js";
import { runCommand } from "./commandRun.js";
import { doctorText } from "./doctorText.js";
import { EXIT } from "./exitCodes.js";
import { type LineStream, StatusLine } from "./statusLine.js";
import { jsonLine, terminalOf } from "./terminalText.js";

export interface DoctorOptions {
  readonly json?: boolean;
  readonly only?: Store;
  readonly fix?: boolean;
  /** Of each check, in seconds. */
  readonly timeout: number;
}

/** How each store is examined; all at once, so that one which is down does not hold up the other. */
const EXAMINATIONS: Record<Store, (options: ExaminationOptions) => Promise<CheckReport[]>> = {
  mysql: (options) => examine("mysql", mysqlChecks, new MysqlPatient(options), options),
  redis: (options) => examine("redis", redisChecks, new RedisPatient(options), options),
};

/** `doordarshan-data doctor`: sets the exit code of the process and never throws. */
export function doctor(options: DoctorOptions): Promise<void> {
  return runCommand(options, async (reporter) => {
    loadDotenv();
    const checks = await examineAll(options, process.stderr);
    const verdict = worstOf(checks.map((check) => check.verdict));
    reporter.result({ verdict, checks }, { styled: doctorText(checks, terminalOf(process.stdout).colours) });
    return { ok: EXIT.done, warning: EXIT.difference, failed: EXIT.failed }[verdict];
  });
}

async function examineAll(
  { json, only, fix = false, timeout }: DoctorOptions,
  err: LineStream,
): Promise<CheckReport[]> {
  const line = new StatusLine(err);
  const onProgress: ExaminationOptions["onProgress"] = (check) => {
    if (json) err.write(`${jsonLine({ kind: "check", ...check })}\n`);
    else line.show(`${check.store}: looking at ${check.title}`);
  };
  const chosen = Object.entries(EXAMINATIONS).filter(([store]) => only === undefined || store === only);
  const reports = await Promise.all(chosen.map(([, look]) => look({ timeoutMs: timeout * 1_000, fix, onProgress })));
  line.clear();
  return reports.flat();
}
