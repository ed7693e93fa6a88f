import { DriverError } from "../errors.js";

/** How ioredis words a lost or closed connection; each says nothing about what the server did. */
const CONNECTION_CLOSED =
  /^(Connection is closed|Reached the max retries per request|Stream isn't writeable|Cluster isn't)/;

/**
 * Server errors that refuse a command for now: it was not executed and another node, or the same one a little later, will take it.
 * MOVED and ASK are here for when ioredis gives up following them.
 */
const TEMPORARY = new Set([
  "CLUSTERDOWN",
  "LOADING",
  "TRYAGAIN",
  "MASTERDOWN",
  "READONLY",
  "MOVED",
  "ASK",
  "NOREPLICAS",
]);

/** Whether the server itself answered with an error, so that the command was certainly not executed. */
export function isServerError(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** Whether ioredis itself gave a command up since it has no connection. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && !isServerError(error) && CONNECTION_CLOSED.test(error.message);
}

/** Whether a server error means "not now" rather than "no". */
export function isTemporary(error: DriverError): boolean {
  return TEMPORARY.has(error.driverCode ?? "");
}

/**
 * Copies a driver's error without what ioredis attaches: the command's arguments, which for AUTH are the password.
 * An unknown command's message repeats its arguments, so that part is cut off.
 */
export function toDriverError(error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof Error)) return new DriverError("unknown error");
  const own = error as Error & { code?: unknown; lastNodeError?: unknown; errors?: unknown[] };
  if (own.lastNodeError instanceof Error) return toDriverError(own.lastNodeError);
  if (CONNECTION_CLOSED.test(error.message)) return new DriverError("the connection is closed");
  // What ioredis says when the slot table was not read in time.
  if (error.message === "timeout") return new DriverError("no answer in time", { driverCode: "ETIMEDOUT" });
  const code = typeof own.code === "string" ? own.code : serverCode(error);
  const message = error.message || code || own.name;
  return new DriverError(message.replace(/,? with args beginning with:.*$/s, ""), code ? { driverCode: code } : {});
}

function serverCode(error: Error): string | undefined {
  if (!isServerError(error)) return undefined;
  return /^[A-Z]+/.exec(error.message)?.[0];
}

const NETWORK = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/;
const CREDENTIALS = /^(WRONGPASS|NOAUTH)$|invalid password/;
const CERTIFICATE = /CERT|SIGNATURE|ISSUER/;
const TLS_PROTOCOL = /^(EPROTO|ERR_SSL|ERR_TLS)/;

/** What the operator should check, by what went wrong at the first connection. */
export function connectAdvice(error: DriverError, tls: boolean): string {
  const code = error.driverCode ?? "";
  if (CREDENTIALS.test(code) || CREDENTIALS.test(error.message))
    return "check REDIS_CLUSTER_USERNAME and REDIS_CLUSTER_PASSWORD, or REDIS_CLUSTER_SECRET_FILE";
  if (code === "NOPERM") return "grant the Redis user the commands that the README lists";
  if (/cluster support disabled/.test(error.message))
    return "the server is a single instance: set REDIS_CLUSTER_MODE_ON=false, or name a cluster's nodes in REDIS_CLUSTER_ADDRESSES";
  if (code === "CLUSTER_NODE")
    return "set REDIS_CLUSTER_MODE_ON=true, or name a single instance in REDIS_CLUSTER_ADDRESSES";
  if (code === "CLUSTERDOWN") return "check with CLUSTER INFO that every slot has a master";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "the server's certificate is for another host: check REDIS_CLUSTER_ADDRESSES (a cluster announces its nodes by IP address, which the certificate must then name)";
  if (CERTIFICATE.test(code))
    return "check the server's certificate (its dates, its authority) and REDIS_CLUSTER_TLS_CA_FILE";
  if (TLS_PROTOCOL.test(code)) return "the server does not speak TLS on this port: check REDIS_CLUSTER_TLS";
  if (code === "ETIMEDOUT" && tls)
    return "check REDIS_CLUSTER_ADDRESSES, that no firewall is in between, and REDIS_CLUSTER_TLS (a server without TLS stays silent)";
  if (NETWORK.test(code))
    return "check REDIS_CLUSTER_ADDRESSES, that the server runs and that no firewall is in between";
  return "check REDIS_CLUSTER_ADDRESSES, REDIS_CLUSTER_TLS (a TLS server drops plain connections) and the server's log";
}
