import type { Report } from "./report.js";
import type { TlsConfig } from "./types.js";
import type { Values } from "./variables.js";

/** The variables of one store. */
interface TlsNames {
  readonly on: "MYSQL_TLS" | "REDIS_CLUSTER_TLS";
  readonly skipVerify: "MYSQL_TLS_SKIP_VERIFY" | "REDIS_CLUSTER_SKIP_VERIFY";
  readonly caFile: "MYSQL_TLS_CA_FILE" | "REDIS_CLUSTER_TLS_CA_FILE";
}

/** TLS as configured, or undefined; says what has no effect, and warns where nothing is verified. */
export function readTls(values: Values, names: TlsNames, report: Report): TlsConfig | undefined {
  const skipVerify = values[names.skipVerify];
  const caFile = values[names.caFile];
  if (!values[names.on]) {
    if (skipVerify) report.info(names.skipVerify, "has no effect: TLS is off");
    if (caFile) report.info(names.caFile, "has no effect: TLS is off");
    return undefined;
  }
  if (skipVerify) report.warn(names.skipVerify, "is on: any certificate is accepted, an attacker's too");
  if (skipVerify && caFile) report.info(names.caFile, `has no effect: ${names.skipVerify} is on`);
  return { caFile, verify: !skipVerify };
}
