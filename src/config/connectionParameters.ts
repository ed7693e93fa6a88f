import { parseGoDuration } from "./goDuration.js";
import type { Report } from "./report.js";
import type { Parameter } from "./types.js";
import type { Values } from "./variables.js";

/** What parameters set: variables' values in the variables' units, and the collation. */
export interface ParameterSettings
  extends Partial<
    Pick<
      Values,
      "MYSQL_TLS" | "MYSQL_TLS_SKIP_VERIFY" | "MYSQL_CONNECT_TIMEOUT_IN_SECS" | "MYSQL_QUERY_TIMEOUT_IN_SECS"
    >
  > {
  readonly collation?: string;
}

type Outcome = { readonly set: ParameterSettings } | { readonly info: string } | { readonly problem: string };
type Rule = (value: string) => Outcome;
type Check = readonly [isValid: (value: string) => boolean, problem: string];

const NAME = "MYSQL_CONNECTION_STRING";
const mapped: Outcome = { set: {} };

/** What go-sql-driver reads a parameter as, which is less than strconv.ParseBool takes. */
function readBool(value: string): boolean | undefined {
  if (["1", "true", "TRUE", "True"].includes(value)) return true;
  return ["0", "false", "FALSE", "False"].includes(value) ? false : undefined;
}

const bool: Check = [(value) => readBool(value) !== undefined, "must be true or false"];
const duration: Check = [(value) => parseGoDuration(value) !== undefined, "must be a duration such as 1ms"];
const bytes: Check = [(value) => /^[+-]?\d{1,18}$/.test(value), "must be a whole number"];
const location: Check = [isLocation, "must be Local, UTC or a time zone such as Asia/Kolkata"];

/** As Go's time.LoadLocation; an offset such as +05:30 is none. */
function isLocation(value: string): boolean {
  if (["", "Local", "UTC"].includes(value)) return true;
  try {
    return /^[A-Za-z]/.test(value) && Boolean(new Intl.DateTimeFormat("en", { timeZone: value }));
  } catch {
    return false;
  }
}

/** Accepted with the one value that says what this client does anyway. */
function only(expected: boolean, otherwise: string): Rule {
  return (value) => {
    const read = readBool(value);
    if (read === undefined) return { problem: bool[1] };
    return read === expected ? mapped : { problem: `must be ${expected}: ${otherwise}` };
  };
}

/** A value that go-sql-driver would refuse is refused all the same: somebody meant something else by it. */
function noEffect([isValid, problem]: Check, reason: string): Rule {
  return (value) => (isValid(value) ? { info: reason } : { problem });
}

function refused(reason: string): Rule {
  return () => ({ problem: `is not supported: ${reason}` });
}

function seconds(name: "MYSQL_CONNECT_TIMEOUT_IN_SECS" | "MYSQL_QUERY_TIMEOUT_IN_SECS"): Rule {
  return (value) => {
    const milliseconds = parseGoDuration(value);
    if (milliseconds === undefined || milliseconds < 1 || milliseconds > 86_400_000)
      return { problem: "must be a duration from 1ms to 24h, such as 5s: no wait is unlimited here" };
    return { set: { [name]: Math.ceil(milliseconds) / 1_000 } };
  };
}

function tls(value: string): Outcome {
  const word = value.toLowerCase();
  const on = word === "skip-verify" ? true : readBool(value);
  if (on !== undefined) return { set: { MYSQL_TLS: on, ...(on && { MYSQL_TLS_SKIP_VERIFY: word === "skip-verify" }) } };
  if (word === "preferred") return { problem: "preferred would fall back to plain text; use true or skip-verify" };
  return { problem: "must be true, false or skip-verify; for an authority of your own use true and MYSQL_TLS_CA_FILE" };
}

const rules = new Map<string, Rule>(
  Object.entries({
    charset: (value) =>
      value.split(",")[0] === "utf8mb4" ? mapped : { problem: "must be utf8mb4, which holds every character" },
    collation: (value) =>
      /^utf8mb4_[a-z0-9_]+$/.test(value) ? { set: { collation: value } } : { problem: "must be a utf8mb4 collation" },
    timeout: seconds("MYSQL_CONNECT_TIMEOUT_IN_SECS"),
    readTimeout: seconds("MYSQL_QUERY_TIMEOUT_IN_SECS"),
    writeTimeout: seconds("MYSQL_QUERY_TIMEOUT_IN_SECS"),
    tls,
    parseTime: noEffect(bool, "no table here has a date or time column"),
    loc: noEffect(location, "sessions run in UTC"),
    timeTruncate: noEffect(duration, "no table here has a date or time column"),
    interpolateParams: noEffect(bool, "the driver always escapes parameters into the statement"),
    checkConnLiveness: noEffect(bool, "a broken connection leaves the pool when it breaks"),
    rejectReadOnly: noEffect(bool, "a connection that answers read-only is always dropped"),
    maxAllowedPacket: noEffect(bytes, "the server's limit is the one that counts"),
    tinyInt1IsBool: noEffect(bool, "each column states its type"),
    clientFoundRows: only(true, "this client counts matched rows, not changed ones"),
    allowNativePasswords: only(true, "the driver cannot be kept from it; remove the user's mysql_native_password"),
    columnsWithAlias: only(false, "columns are read by their plain names"),
    compress: only(false, "compression is not offered"),
    multiStatements: only(false, "one statement at a time is a guard against injection"),
    allowAllFiles: only(false, "LOAD DATA LOCAL would let the server read this machine's files"),
    allowCleartextPasswords: only(false, "the password would be sent readable"),
    allowOldPasswords: only(false, "the old hash is broken"),
    allowFallbackToPlaintext: only(false, "TLS must not be given up silently"),
    connectionAttributes: refused("attributes are not sent"),
    serverPubKey: refused("use tls=true and MYSQL_TLS_CA_FILE"),
    strict: refused("go-sql-driver has removed it too"),
    multipleStatements: refused("one statement at a time is a guard against injection"),
    ssl: refused("use tls=true and MYSQL_TLS_CA_FILE"),
    connectTimeout: refused("use timeout=5s"),
  } satisfies Record<string, Rule>),
);

/** Maps each parameter, or reports by name why it has no effect or is refused. Values are never told. */
export function readParameters(parameters: readonly Parameter[], report: Report): ParameterSettings {
  const settings: ParameterSettings[] = [];
  for (const [name, value] of new Map(parameters)) {
    const told = `parameter ${/^[A-Za-z]\w{0,63}$/.test(name) ? name : "with a malformed name"}`;
    if (value === undefined) {
      report.info(NAME, `${told} has no value and so no effect`);
      continue;
    }
    const outcome = (rules.get(name) ?? refused("a session's system variables are set by this package"))(value);
    if ("problem" in outcome) report.problem(NAME, `${told} ${outcome.problem}`);
    else if ("info" in outcome) report.info(NAME, `${told} has no effect: ${outcome.info}`);
    else settings.push(outcome.set);
  }
  return merge(settings);
}

/** readTimeout and writeTimeout set the same limit; the stricter one counts. */
function merge(settings: readonly ParameterSettings[]): ParameterSettings {
  const limits = settings.flatMap(({ MYSQL_QUERY_TIMEOUT_IN_SECS: limit }) => limit ?? []);
  const strictest = limits.length > 0 && { MYSQL_QUERY_TIMEOUT_IN_SECS: Math.min(...limits) };
  return Object.assign({}, ...settings, strictest);
}
