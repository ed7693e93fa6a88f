import { expect } from "chai";
import { type Connection, createConnection } from "mysql2/promise";
import type { Verdict } from "../../../../src/doctor/check.js";
import { type CheckReport, type ExaminationOptions, examine } from "../../../../src/doctor/runner.js";
import { MysqlPatient, mysqlChecks } from "../../../../src/mysql/doctor/index.js";
import type { MysqlServer } from "../../../../src/testing/index.js";

/** Must show nowhere. */
export const CANARY = "canary-Zq8";

/** What the doctor finds, as the command looks at it. */
export class Diagnosis {
  constructor(readonly reports: readonly CheckReport[]) {}

  of(id: string): CheckReport[] {
    return this.reports.filter((report) => report.id === id);
  }

  /** The one report of this check. */
  one(id: string): CheckReport {
    const found = this.of(id);
    expect(found, id).to.have.length(1);
    return found[0] as CheckReport;
  }

  /** Ids of those with a verdict, each once. */
  ids(verdict: Verdict): string[] {
    return [...new Set(this.reports.filter((report) => report.verdict === verdict).map(({ id }) => id))];
  }
}

export async function diagnose(
  environment: Readonly<Record<string, string>>,
  options: ExaminationOptions = {},
): Promise<Diagnosis> {
  const reports = await examine("mysql", mysqlChecks, new MysqlPatient({ environment, ...options }), options);
  expect(JSON.stringify(reports)).not.to.include(CANARY);
  if (environment.MYSQL_PASSWORD) expect(JSON.stringify(reports)).not.to.include(environment.MYSQL_PASSWORD);
  for (const { id, verdict, advice } of reports)
    if (verdict === "warning" || verdict === "failed") expect(advice, `advice of ${id}`).to.match(/\S/);
  return new Diagnosis(reports);
}

export function connectAdmin({ host, port, admin }: MysqlServer, database = "doordarshan"): Promise<Connection> {
  const { username: user, password } = admin;
  return createConnection({ host, port, user, password, database, multipleStatements: false });
}
