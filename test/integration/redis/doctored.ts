import { expect } from "chai";
import { type CheckReport, type ExaminationOptions, examine } from "../../../src/doctor/runner.js";
import { RedisPatient, redisChecks } from "../../../src/redis/doctor/index.js";

/** Stands in every secret of these tests, and in what is stored. */
export const CANARY = "canary-5f1e";

export type Environment = Readonly<Record<string, string>>;

/** What the doctor says of Redis; in no case a secret. */
export async function examined(environment: Environment, options: ExaminationOptions = {}): Promise<CheckReport[]> {
  const reports = await examine("redis", redisChecks, new RedisPatient({ ...options, environment }), options);
  expect(JSON.stringify(reports)).not.to.include(CANARY);
  for (const { id, verdict, advice } of reports)
    if (verdict === "warning" || verdict === "failed") expect(advice, id).to.be.a("string").and.not.equal("");
  return reports;
}

/** `verdict saw -> advice` of each finding of one check. */
export function textsOf(reports: readonly CheckReport[], id: string): string[] {
  const found = reports.filter((report) => report.id === id);
  return found.map(({ verdict, saw, advice = "" }) => `${verdict} ${saw} -> ${advice}`);
}

/** Of all checks but those that were skipped, those of this verdict, by id. */
export function idsOf(reports: readonly CheckReport[], verdict: CheckReport["verdict"]): string[] {
  return [...new Set(reports.filter((report) => report.verdict === verdict).map(({ id }) => id))];
}
