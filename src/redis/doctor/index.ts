import type { Check } from "../../doctor/check.js";
import { accessChecks, configurationCheck } from "./access.js";
import { clusterChecks } from "./cluster.js";
import { durabilityChecks } from "./durability.js";
import { networkChecks } from "./network.js";
import type { RedisPatient } from "./patient.js";
import { permissionsCheck } from "./permissions.js";
import { settingsChecks } from "./settings.js";
import { streamChecks } from "./streams.js";

export { RedisPatient, type RedisPatientOptions } from "./patient.js";

/** What the doctor looks at in Redis, each after what it needs. */
export const redisChecks: readonly Check<RedisPatient>[] = [
  configurationCheck,
  ...networkChecks,
  ...accessChecks,
  permissionsCheck,
  ...clusterChecks,
  ...durabilityChecks,
  ...settingsChecks,
  ...streamChecks,
];
