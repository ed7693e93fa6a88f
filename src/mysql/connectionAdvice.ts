import { AcquireTimeoutError, type DataError, DeadlineExceededError, DriverError } from "../errors.js";

const BY_ERRNO: Readonly<Record<number, string>> = {
  1040: "The server has no connection left: raise its max_connections or lower MYSQL_OPEN_CONNECTIONS",
  1044: "Check that the user has the required permissions on the database",
  1045: "Check username and password, and MYSQL_TLS if the server demands TLS of this user",
  1049: "Check that the database exists and that its name is right",
  1130: "Check that the server lets this user connect from this host",
  1698: "Check username and password, and that the user may log in with a password",
  3159: "The server demands TLS: set MYSQL_TLS=true",
};

const REACHABLE = "Check that MySQL runs and is reachable at this address and port";
/** As of a proxy whose server is down: it accepts and hangs up. */
const CUT = "Check that MySQL runs, that the address is a MySQL server's and that nothing between cuts the connection";
const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: REACHABLE,
  EHOSTUNREACH: REACHABLE,
  ENETUNREACH: REACHABLE,
  ETIMEDOUT: REACHABLE,
  ENOTFOUND: "Check the host name: it cannot be resolved",
  EAI_AGAIN: "Check the host name and the name server: it cannot be resolved now",
  ENOENT: "Check that MySQL runs and that the socket's path is right",
  EACCES: "Check that this process may use the socket",
  ECONNRESET: CUT,
  PROTOCOL_CONNECTION_LOST: CUT,
  HANDSHAKE_NO_SSL_SUPPORT: "The server offers no TLS: set it up there, or set MYSQL_TLS=false",
};

/** mysql2 gives every failure of TLS the same code; only OpenSSL's text tells them apart. */
const TLS_CODE = "HANDSHAKE_SSL_ERROR";
const BY_TLS_TEXT: readonly (readonly [RegExp, string])[] = [
  [/expired/i, "The server's certificate has expired: renew it"],
  [/not yet valid/i, "The server's certificate is not valid yet: check the clocks"],
  [/altnames/i, "The server's certificate is for another host: check MYSQL_ENDPOINT or renew the certificate"],
  [
    /self.signed|unable to (?:verify|get)/i,
    "The server's certificate is of an unknown authority: set MYSQL_TLS_CA_FILE",
  ],
];

/** What to check when a connection could not be made. */
export function connectionAdvice(error: DataError): string {
  const cause = error.cause instanceof DriverError ? error.cause : undefined;
  if (cause?.errno !== undefined && BY_ERRNO[cause.errno]) return BY_ERRNO[cause.errno] as string;
  if (cause?.driverCode === TLS_CODE) return tlsAdvice(cause.message);
  if (cause?.driverCode && BY_CODE[cause.driverCode]) return BY_CODE[cause.driverCode] as string;
  if (error instanceof DeadlineExceededError || error instanceof AcquireTimeoutError) return REACHABLE;
  return "Check address, credentials, database name and permissions";
}

function tlsAdvice(text: string): string {
  const known = BY_TLS_TEXT.find(([pattern]) => pattern.test(text));
  return known?.[1] ?? "Check the TLS settings of both sides";
}
