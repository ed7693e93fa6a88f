import { chooseCredentials } from "./credentialSource.js";
import type { Settings } from "./environment.js";
import type { Report } from "./report.js";
import { readTls } from "./tls.js";
import type { RedisConfig } from "./types.js";

/** Redis' part of the configuration. What it returns counts only if nothing was reported as a problem. */
export function readRedisConfig(settings: Settings, report: Report): RedisConfig {
  const { values } = settings;
  return {
    mode: values.REDIS_CLUSTER_MODE_ON ? "cluster" : "single",
    addresses: readAddresses(settings, report),
    name: values.REDIS_CLUSTER_NAME,
    credentials: readRedisCredentials(settings, report),
    tls: readTls(values, tlsNames, report),
    dialTimeoutMs: values.REDIS_CLUSTER_DIAL_TIMEOUT_IN_SECS * 1_000,
    readTimeoutMs: values.REDIS_CLUSTER_READ_TIMEOUT_IN_SECS * 1_000,
    writeTimeoutMs: values.REDIS_CLUSTER_WRITE_TIMEOUT_IN_SECS * 1_000,
    poolTimeoutMs: values.REDIS_CLUSTER_POOL_TIMEOUT_IN_SECS * 1_000,
    maxInFlight: values.REDIS_CLUSTER_POOL_SIZE,
    maxWaiting: readMaxWaiting(settings, report),
    connectAllAtStart: values.REDIS_CLUSTER_MIN_IDLE_CONNECTIONS > 0,
    maxRetries: values.REDIS_CLUSTER_MAX_RETRIES,
    streamTtlMs: values.REDIS_CLUSTER_TTL_IN_HOURS * 3_600_000,
    streamMaxLength: values.REDIS_STREAM_MAX_LENGTH,
    maxPayloadBytes: values.REDIS_MAX_PAYLOAD_BYTES,
    maxQueuedBytes: values.REDIS_MAX_QUEUED_BYTES,
    followSweepMs: values.REDIS_FOLLOW_SWEEP_INTERVAL_IN_SECS * 1_000,
    enableNotifications: values.REDIS_FOLLOW_ENABLE_NOTIFICATIONS,
    slowOperationMs: values.SLOW_OPERATION_IN_MILLISECONDS,
  };
}

const tlsNames = {
  on: "REDIS_CLUSTER_TLS",
  skipVerify: "REDIS_CLUSTER_SKIP_VERIFY",
  caFile: "REDIS_CLUSTER_TLS_CA_FILE",
} as const;

function readAddresses({ values, given }: Settings, report: Report): RedisConfig["addresses"] {
  const { REDIS_CLUSTER_ADDRESSES: addresses = [], REDIS_CLUSTER_MODE_ON: cluster } = values;
  if (!given.has("REDIS_CLUSTER_ADDRESSES")) report.problem("REDIS_CLUSTER_ADDRESSES", "is required");
  if (!cluster && addresses.length > 1)
    report.problem("REDIS_CLUSTER_ADDRESSES", "must be one address where REDIS_CLUSTER_MODE_ON is false");
  return addresses;
}

/** As with go-redis, a user name without a password is not sent. */
function readRedisCredentials(settings: Settings, report: Report): RedisConfig["credentials"] {
  const { REDIS_CLUSTER_USERNAME: username, REDIS_CLUSTER_PASSWORD: password } = settings.values;
  if (username !== undefined && password === undefined && !settings.given.has("REDIS_CLUSTER_SECRET_FILE"))
    report.warn("REDIS_CLUSTER_USERNAME", "has no effect: REDIS_CLUSTER_PASSWORD is empty, so nothing is sent");
  const direct = {
    variable: "REDIS_CLUSTER_PASSWORD",
    username: password && username,
    password,
    overruled: ["REDIS_CLUSTER_USERNAME", "REDIS_CLUSTER_PASSWORD"],
  } as const;
  return chooseCredentials("REDIS_CLUSTER_SECRET_FILE", direct, settings, report);
}

/** POOL_SIZE may be in flight; the rest of MAX_ACTIVE_CONNECTIONS may wait. */
function readMaxWaiting({ values, given }: Settings, report: Report): number {
  const waiting = values.REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS - values.REDIS_CLUSTER_POOL_SIZE;
  if (waiting < 0 && given.has("REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS"))
    report.problem("REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS", "must not be less than REDIS_CLUSTER_POOL_SIZE");
  return Math.max(waiting, 0);
}
