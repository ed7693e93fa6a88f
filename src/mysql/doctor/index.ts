import type { Check } from "../../doctor/check.js";
import type { MysqlPatient } from "./patient.js";
import { reachChecks } from "./reach.js";
import { rightsChecks } from "./rights.js";
import { rowChecks } from "./rows.js";
import { schemaChecks } from "./schema.js";
import { serverChecks } from "./server.js";

export { MysqlPatient, type MysqlPatientOptions } from "./patient.js";

/** What the doctor looks at in MySQL, in this order. */
export const mysqlChecks: readonly Check<MysqlPatient>[] = [
  ...reachChecks,
  ...serverChecks,
  ...rightsChecks,
  ...schemaChecks,
  ...rowChecks,
];
