import type { Settings } from "./environment.js";
import type { Report } from "./report.js";
import type { Secret } from "./secret.js";
import type { CredentialSource } from "./types.js";
import type { VariableName } from "./variables.js";

interface Direct {
  /** Where they stand, for messages. */
  readonly variable: string;
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  /** The variables that are overruled by a secret file. */
  readonly overruled: readonly VariableName[];
}

/** The secret file where one is named, else what the environment says directly; tells what is overruled. Which it is, the store's client logs when it reads them. */
export function chooseCredentials(
  fileVariable: "MYSQL_SECRET_FILE" | "MYSQL_MIGRATION_SECRET_FILE" | "REDIS_CLUSTER_SECRET_FILE",
  direct: Direct,
  { values, given }: Settings,
  report: Report,
): CredentialSource {
  const path = values[fileVariable];
  const variable = given.get(fileVariable);
  if (path === undefined || variable === undefined)
    return { kind: "variables", variable: direct.variable, username: direct.username, password: direct.password };
  for (const name of direct.overruled) if (given.has(name)) report.info(name, `has no effect: ${variable} is set`);
  return { kind: "file", variable, path };
}
