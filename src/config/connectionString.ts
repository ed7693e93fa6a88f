import { InvalidInputError } from "../errors.js";
import { parseConnectionUrl } from "./connectionUrl.js";
import { isHost, parsePort, splitHostPort } from "./hosts.js";
import { verbatimFlaw } from "./kinds.js";
import { decodePercent, splitParameters } from "./queryString.js";
import { Secret } from "./secret.js";
import type { ConnectionParts, MysqlConfig } from "./types.js";

const ARGUMENT = "connection string";
const DEFAULT_ADDRESS = { host: "127.0.0.1", port: 3306 };
const DEFAULT_SOCKET_PATH = "/tmp/mysql.sock";
const FORM = "must be user:password@tcp(host:port)/database or mysql://user:password@host:port/database";

/**
 * Reads a Go DSN as go-sql-driver's ParseDSN does, and a `mysql://` URL. Parameters are taken apart, not judged.
 * @throws InvalidInputError that quotes nothing of the text
 */
export function parseDsn(text: string): ConnectionParts {
  const flaw = verbatimFlaw(text);
  if (flaw) throw new InvalidInputError(ARGUMENT, flaw);
  return /^mysql:\/\//i.test(text) ? parseConnectionUrl(text) : parseGoDsn(text);
}

/** The last slash ends the address, the last @ before it the credentials, the first colon of those the user name. */
function parseGoDsn(text: string): ConnectionParts {
  const slash = text.lastIndexOf("/");
  if (slash < 0) throw new InvalidInputError(ARGUMENT, `has no slash before the database; it ${FORM}`);
  const left = text.slice(0, slash);
  const at = left.lastIndexOf("@");
  const [database = "", query] = cut(text.slice(slash + 1), "?");
  return {
    ...parseUser(left.slice(0, Math.max(at, 0))),
    address: parseGoAddress(left.slice(at + 1)),
    database: decodePercent(ARGUMENT, "the database name", database),
    parameters: splitParameters(ARGUMENT, query ?? "", "go"),
  };
}

function cut(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function parseUser(text: string): Pick<ConnectionParts, "username" | "password"> {
  const [username, password] = cut(text, ":");
  return { username, password: password ? new Secret(password) : undefined };
}

function parseGoAddress(text: string): MysqlConfig["address"] {
  const [network, rest] = cut(text, "(");
  if (rest !== undefined && !rest.endsWith(")"))
    throw new InvalidInputError(
      ARGUMENT,
      rest.includes(")")
        ? "has a slash in a parameter or in the database; write it as %2F"
        : "lacks the ) after its address",
    );
  const address = rest?.slice(0, -1) ?? "";
  if (network === "unix") return { socketPath: address || DEFAULT_SOCKET_PATH };
  if (network !== "" && network !== "tcp")
    throw new InvalidInputError(ARGUMENT, `has a network other than tcp and unix; it ${FORM}`);
  return address === "" ? DEFAULT_ADDRESS : parseTcpAddress(address);
}

/** An address without a port gets 3306; one without a host is this machine. */
function parseTcpAddress(text: string): MysqlConfig["address"] {
  const { host, port } = splitHostPort(text) ?? { host: text, port: String(DEFAULT_ADDRESS.port) };
  const number = parsePort(port);
  if (number === undefined) throw new InvalidInputError(ARGUMENT, "has a port that is not a number from 1 to 65535");
  if (host === "") return { host: DEFAULT_ADDRESS.host, port: number };
  if (!isHost(host))
    throw new InvalidInputError(ARGUMENT, "has no valid host in its address; an IPv6 address is tcp([::1]:3306)");
  return { host, port: number };
}
