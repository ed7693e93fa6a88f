import { InvalidInputError } from "../errors.js";
import { isHost } from "./hosts.js";
import { decodePercent, splitParameters } from "./queryString.js";
import { Secret } from "./secret.js";
import type { ConnectionParts } from "./types.js";

const ARGUMENT = "connection string";
const HINT = "percent-encode user name and password (@ / : ? # % are %40 %2F %3A %3F %23 %25)";

/**
 * Reads `mysql://user:password@host:port/database?name=value`; the names are those of the Go form.
 * @throws InvalidInputError that quotes nothing of the text
 */
export function parseConnectionUrl(text: string): ConnectionParts {
  const url = parseUrl(text);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (!isHost(host)) throw new InvalidInputError(ARGUMENT, `has no valid host; ${HINT}`);
  if (url.hash !== "" || url.pathname.slice(1).includes("/"))
    throw new InvalidInputError(ARGUMENT, `has a # or a second / after its host; ${HINT}`);
  const password = decodePercent(ARGUMENT, "the password", url.password);
  return {
    username: decodePercent(ARGUMENT, "the user name", url.username),
    password: password === "" ? undefined : new Secret(password),
    address: { host, port: url.port === "" ? 3306 : Number(url.port) },
    database: decodePercent(ARGUMENT, "the database name", url.pathname.slice(1)),
    parameters: splitParameters(ARGUMENT, url.search.slice(1), "url"),
  };
}

/** ERR_INVALID_URL carries the whole text in `input`, so it is not passed on. */
function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.port === "0") throw new InvalidInputError(ARGUMENT, `is not a valid URL; ${HINT}`);
  return url;
}
