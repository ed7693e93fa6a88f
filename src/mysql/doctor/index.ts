import type { Check } from "../../doctor/check.js";
import { configurationChecks } from "./configuration.js";
import { definerChecks } from "./definers.js";
import { fleetChecks } from "./fleet.js";
import { migratorChecks } from "./migrator.js";
import { orphanChecks } from "./orphans.js";
import type { MysqlPatient } from "./patient.js";
import { accessChecks, networkChecks } from "./reach.js";
import { rightsChecks } from "./rights.js";
import { schemaChecks } from "./schema.js";
import { serverChecks } from "./server.js";
import { tlsChecks } from "./tls.js";

export { MysqlPatient, type MysqlPatientOptions } from "./patient.js";

/** What the doctor looks at in MySQL, in this order. */
export const mysqlChecks: readonly Check<MysqlPatient>[] = [
  ...configurationChecks,
  ...networkChecks,
  ...tlsChecks,
  ...accessChecks,
  ...serverChecks,
  ...rightsChecks,
  ...migratorChecks,
  ...schemaChecks,
  ...definerChecks,
  ...orphanChecks,
  ...fleetChecks,
];
