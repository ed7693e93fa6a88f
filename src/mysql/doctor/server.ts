import type { Check, Finding } from "../../doctor/check.js";
import type { MysqlPatient } from "./patient.js";
import { type ServerVariables, serverVariables } from "./variables.js";

/** What the server is and how it is set. */
export const serverChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.version", title: "the server's version", needs: ["mysql.login"], run: checkVersion },
  { id: "mysql.clock", title: "the server's clock", needs: ["mysql.login"], run: checkClock },
  { id: "mysql.timezone", title: "the server's time zone", needs: ["mysql.login"], run: checkTimeZone },
  { id: "mysql.connections", title: "connections for the pool", needs: ["mysql.login"], run: checkConnections },
  { id: "mysql.timeouts", title: "idle connections", needs: ["mysql.login"], run: checkTimeouts },
  { id: "mysql.writable", title: "whether it takes writes", needs: ["mysql.login"], run: checkWritable },
  { id: "mysql.settings", title: "settings that get in the way", needs: ["mysql.login"], run: checkSettings },
];

const OLDEST = { mysql: [8, 0], mariadb: [10, 6] } as const;

async function checkVersion(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  return versionFinding((await serverVariables(patient, signal)).get("version") ?? "");
}

/** @param version as `VERSION()` tells it, such as `10.11.14-MariaDB-0+deb12u2` */
export function versionFinding(version: string): Finding {
  const engine = /mariadb/i.test(version) ? "mariadb" : "mysql";
  // MariaDB in a replication disguise puts 5.5.5- before its own.
  const [, major = 0, minor = 0] = /^(?:5\.5\.5-)?(\d+)\.(\d+)/.exec(version) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST[engine];
  const isSupported = Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  const saw = engine === "mariadb" ? version : `MySQL ${version}`;
  if (isSupported) return { verdict: "ok", saw };
  return {
    verdict: "failed",
    saw: `${saw} is not supported`,
    advice: "Upgrade to MySQL 8.0 or MariaDB 10.6, or later",
  };
}

const MAX_SKEW_MS = 1_000;
const LOOKS = 3;
const CLOCK = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000 AS CHAR) AS ms";

/** The shortest of some round trips tells it best. */
async function checkClock(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const looks: { skewMs: number; errorMs: number }[] = [];
  // The first one may have to connect.
  await patient.ask(signal, CLOCK, [], "login");
  for (let look = 0; look < LOOKS; look += 1) {
    const [began, beganAt] = [performance.now(), Date.now()];
    const [row] = await patient.ask<{ ms: string }>(signal, CLOCK, [], "login");
    const errorMs = (performance.now() - began) / 2;
    looks.push({ skewMs: Number(row?.ms) - (beganAt + errorMs), errorMs });
  }
  const [best] = looks.toSorted((a, b) => a.errorMs - b.errorMs);
  return clockFinding(best?.skewMs ?? 0, best?.errorMs ?? 0);
}

/** @param skewMs how far the server is ahead @param errorMs how far off that may be */
export function clockFinding(skewMs: number, errorMs: number): Finding {
  const seconds = (Math.abs(skewMs) / 1_000).toFixed(Math.abs(skewMs) < 10_000 ? 3 : 0);
  const side = skewMs < 0 ? "behind" : "ahead of";
  const saw = `the server's clock is ${seconds} s ${side} this machine's (± ${Math.ceil(errorMs)} ms)`;
  if (Math.abs(skewMs) - errorMs < MAX_SKEW_MS) return { verdict: "ok", saw };
  const advice =
    "Have NTP set both clocks: heartbeats and reservations go by the server's, other programs' heartbeats by their machines'";
  return { verdict: "warning", saw, advice };
}

async function checkTimeZone(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const variables = await serverVariables(patient, signal);
  const [row] = await patient.ask<{ minutes: string }>(signal, ZONE_OFFSET, [], "login");
  const zone = variables.get("time_zone");
  const name = zone === "SYSTEM" ? `SYSTEM (${variables.get("system_time_zone")})` : String(zone);
  const minutes = row?.minutes == null ? undefined : Number(row.minutes);
  if (minutes === 0) return { verdict: "ok", saw: `${name}, which is UTC now` };
  const saw = `${name}, ${minutes === undefined ? "an unknown time" : `${minutes} minutes`} from UTC`;
  const advice =
    "This package sets UTC for its own sessions. Set default-time-zone = '+00:00' in the server's configuration, or other programs write local times that change with the season";
  return { verdict: "warning", saw, advice };
}

/** Our sessions are in UTC, so the server's zone is asked for by name. */
const ZONE_OFFSET =
  "SELECT CAST(TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@GLOBAL.time_zone)) AS CHAR) AS minutes";

const LIMITS = "SELECT CAST(@@SESSION.max_user_connections AS CHAR) AS ofUser";
const CONNECTED = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";
/** One more for health checks. */
const SPARE = 1;
const NEARLY_FULL = 0.9;

async function checkConnections(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const all = (await serverVariables(patient, signal)).number("max_connections");
  const [limits] = await patient.ask<{ ofUser: string }>(signal, LIMITS, [], "login");
  const [connected] = await patient.ask<{ Value: string }>(signal, CONNECTED, [], "login");
  const { maxConnections } = patient.config;
  return connectionsFinding({ all, ofUser: Number(limits?.ofUser), used: Number(connected?.Value), maxConnections });
}

export interface ConnectionCounts {
  /** max_connections. */
  readonly all: number;
  /** max_user_connections; 0: no limit. */
  readonly ofUser: number;
  readonly used: number;
  /** Of one process's pool. */
  readonly maxConnections: number;
}

export function connectionsFinding({ all, ofUser, used, maxConnections }: ConnectionCounts): Finding {
  const wanted = maxConnections + SPARE;
  const saw = `max_connections ${all}, of which ${used} in use; this process may open ${wanted}`;
  if (wanted > all)
    return {
      verdict: "warning",
      saw,
      advice: `Lower MYSQL_OPEN_CONNECTIONS, or SET GLOBAL max_connections = ${wanted} or more`,
    };
  if (ofUser > 0 && wanted > ofUser)
    return {
      verdict: "warning",
      saw: `${saw}, the user ${ofUser} (max_user_connections)`,
      advice: "Lower MYSQL_OPEN_CONNECTIONS, or raise the user's limit: ALTER USER … WITH MAX_USER_CONNECTIONS",
    };
  if (used >= all * NEARLY_FULL)
    return { verdict: "warning", saw, advice: "Raise max_connections, or find who keeps them: SHOW PROCESSLIST" };
  return { verdict: "ok", saw };
}

async function checkTimeouts(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const seconds = (await serverVariables(patient, signal)).number("wait_timeout");
  const idle = patient.config.idleTimeoutMs / 1_000;
  const saw = `the server closes a connection idle for ${seconds} s (wait_timeout), the pool after ${idle} s`;
  if (seconds > idle) return { verdict: "ok", saw };
  const advice = `Lower MYSQL_IDLE_TIMEOUT_IN_SECS below ${seconds}, or raise wait_timeout: otherwise statements meet connections that the server has closed`;
  return { verdict: "warning", saw, advice };
}

/** Those that can be turned off while the server runs, in the order in which they must be. */
const REFUSING = ["offline_mode", "super_read_only", "read_only", "transaction_read_only", "tx_read_only"] as const;
const REFUSING_SINCE_START = ["innodb_read_only", "innodb_force_recovery"] as const;

async function checkWritable(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const variables = await serverVariables(patient, signal);
  const now = REFUSING.filter((name) => variables.isOn(name));
  const sinceStart = REFUSING_SINCE_START.filter((name) => variables.isOn(name));
  const on = [...now, ...sinceStart];
  if (on.length === 0) return { verdict: "ok", saw: "the server takes writes" };
  const remedies = [
    ...now.map((name) => `SET GLOBAL ${name} = OFF`),
    ...sinceStart.map((name) => `restart it without ${name}`),
  ];
  const advice = `Connect to the server that takes writes: after a failover MYSQL_ENDPOINT may name a replica. If this is the one: ${remedies.join("; ")}`;
  return { verdict: "failed", saw: `the server refuses writes (${on.join(", ")} on)`, advice };
}

const LEAST_PACKET_BYTES = 1_048_576;

async function checkSettings(patient: MysqlPatient, signal: AbortSignal): Promise<readonly Finding[]> {
  const findings = settingFindings(await serverVariables(patient, signal));
  return findings.length > 0
    ? findings
    : [{ verdict: "ok", saw: "none; sql_mode, autocommit and time zone are set for each session" }];
}

export function settingFindings(variables: ServerVariables): Finding[] {
  const isolation = variables.get("transaction_isolation", "tx_isolation") ?? "";
  const findings: (Finding | false)[] = [
    variables.isOn("log_bin") &&
      variables.get("binlog_format") === "STATEMENT" && {
        verdict: "failed",
        saw: "binlog_format is STATEMENT, with which the server refuses writes at READ COMMITTED (1665)",
        advice: "SET GLOBAL binlog_format = 'ROW', there and in the server's configuration",
      },
    !variables.isOn("foreign_key_checks") && {
      verdict: "failed",
      saw: "foreign_key_checks is off: keys are not enforced and deletes leave rows",
      advice: "SET GLOBAL foreign_key_checks = ON, then run doordarshan-data doctor again for what it left",
    },
    ["READ-UNCOMMITTED", "SERIALIZABLE"].includes(isolation) && {
      verdict: "warning",
      saw: `transactions are ${isolation} unless they say otherwise`,
      advice:
        "SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ: uncommitted rows would be seen, or plain reads would lock",
    },
    variables.number("max_allowed_packet") < LEAST_PACKET_BYTES && {
      verdict: "warning",
      saw: `max_allowed_packet is ${variables.get("max_allowed_packet")} bytes, which large lists of ids exceed`,
      advice: `SET GLOBAL max_allowed_packet = ${16 * LEAST_PACKET_BYTES}`,
    },
  ];
  return findings.filter((finding) => finding !== false);
}
