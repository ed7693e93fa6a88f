import { InvalidInputError } from "../errors.js";
import { type ParameterSettings, readParameters } from "./connectionParameters.js";
import { parseDsn } from "./connectionString.js";
import { chooseCredentials } from "./credentialSource.js";
import type { Settings } from "./environment.js";
import type { Report } from "./report.js";
import type { ConnectionParts, MysqlConfig } from "./types.js";

/** Where to connect and as whom, and what a connection string sets beyond that. */
export interface MysqlTarget extends Pick<MysqlConfig, "address" | "database" | "credentials"> {
  readonly fixed: ParameterSettings;
}

const STRING = "MYSQL_CONNECTION_STRING";
const FILE = "MYSQL_SECRET_FILE";
const OVERRULED = ["MYSQL_ENDPOINT", "MYSQL_PORT", "MYSQL_DB_NAME", "MYSQL_USERNAME", "MYSQL_PASSWORD"] as const;

/** A connection string wins over the single variables. */
export function readMysqlTarget(settings: Settings, report: Report): MysqlTarget {
  return settings.given.has(STRING) ? readString(settings, report) : readParts(settings, report);
}

function readParts(settings: Settings, report: Report): MysqlTarget {
  const { values, given } = settings;
  const alternatives = { MYSQL_ENDPOINT: STRING, MYSQL_DB_NAME: STRING, MYSQL_USERNAME: FILE } as const;
  for (const [name, alternative] of Object.entries(alternatives) as [keyof typeof alternatives, string][])
    if (!given.has(name) && !given.has(alternatives[name])) report.problem(name, `is required (or ${alternative})`);
  const direct = {
    variable: "MYSQL_USERNAME",
    username: values.MYSQL_USERNAME,
    password: values.MYSQL_PASSWORD,
    overruled: ["MYSQL_USERNAME", "MYSQL_PASSWORD"],
  } as const;
  return {
    address: { host: values.MYSQL_ENDPOINT ?? "", port: values.MYSQL_PORT },
    database: values.MYSQL_DB_NAME ?? "",
    credentials: chooseCredentials(FILE, direct, settings, report),
    fixed: {},
  };
}

function readString(settings: Settings, report: Report): MysqlTarget {
  const { values, given } = settings;
  for (const name of OVERRULED) if (given.has(name)) report.info(name, `has no effect: ${STRING} is set`);
  const parts = parseReporting(values[STRING], report);
  if (parts?.database === "") report.problem(STRING, "names no database after its last slash");
  if (parts?.username === "" && !given.has(FILE))
    report.problem(STRING, `names no user; write user:password@ before its address, or set ${FILE}`);
  if (parts?.password && given.has(FILE)) report.info(STRING, `has a password without effect: ${FILE} is set`);
  const direct = { variable: STRING, username: parts?.username, password: parts?.password, overruled: [] };
  return {
    address: parts?.address ?? { host: "", port: 0 },
    database: parts?.database ?? "",
    credentials: chooseCredentials(FILE, direct, settings, report),
    fixed: readParameters(parts?.parameters ?? [], report),
  };
}

/** Undefined where a problem is reported; that of the variable's text alone has been already. */
function parseReporting(text: string | undefined, report: Report): ConnectionParts | undefined {
  try {
    return text === undefined ? undefined : parseDsn(text);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    report.problem(STRING, error.problem);
    return undefined;
  }
}
