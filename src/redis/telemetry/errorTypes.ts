import { DataError, DriverError, RedisCommandError } from "../../errors.js";
import { SYSTEM_ERRORS } from "../../telemetry/systemErrors.js";

/** What goes wrong with connections and servers, as far as it has a name of its own in metrics. */
const KNOWN = new Set<string>([
  ...SYSTEM_ERRORS,
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
  "NOREPLICAS",
  "READONLY",
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "MOVED",
  "ASK",
  "TRYAGAIN",
  "CROSSSLOT",
  "BUSY",
  "OOM",
  "MISCONF",
  "WRONGTYPE",
  "NOGROUP",
  "BUSYGROUP",
  "NOSCRIPT",
  "ERR",
]);
const TLS = /CERT|SIGNATURE|ISSUER|^(EPROTO|ERR_SSL|ERR_TLS)/;

/** One of a bounded set: the server's or the system's code, `TLS`, `closed` for a connection that was lost without one, or `other`. */
export function driverErrorType({ driverCode }: DriverError): string {
  if (driverCode === undefined) return "closed";
  if (KNOWN.has(driverCode)) return driverCode;
  return TLS.test(driverCode) ? "TLS" : "other";
}

/** Of what a command failed with: the server's code where it refused the command, else our error's. */
export function errorType(error: Error): string {
  const own = error instanceof RedisCommandError ? error.cause : error;
  if (own instanceof DriverError) return driverErrorType(own);
  return error instanceof DataError ? error.code : "other";
}
