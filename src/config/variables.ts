import type { Store } from "../errors.js";
import { addresses, boolean, host, integer, type Kind, matching, secret, text } from "./kinds.js";

export interface Definition {
  readonly store: Store | "both";
  readonly kind: Kind<unknown>;
  /** Other spellings that running services use. */
  readonly aliases?: readonly string[];
  /** As it would be written; without one the variable is unset. */
  readonly default?: string;
  readonly effect: string;
  /** For a variable that is accepted and has no effect: why, and how loudly that is said. */
  readonly unused?: { readonly level: "info" | "warn"; readonly reason: string };
}

const mysql = { store: "mysql" } as const;
const redis = { store: "redis" } as const;
const both = { store: "both" } as const;
const seconds = integer(1, 86_400, "seconds");

/** Every variable: the one source of names, bounds, defaults and of the README's table. */
export const definitions = {
  MYSQL_CONNECTION_STRING: {
    ...mysql,
    kind: text,
    effect: "Go DSN `user:password@tcp(host:port)/database` or `mysql://` URL; wins over the five variables below.",
  },
  MYSQL_ENDPOINT: { ...mysql, kind: host, effect: "Host name or IP address; required without a connection string." },
  MYSQL_PORT: { ...mysql, kind: integer(1, 65_535), default: "3306", effect: "TCP port." },
  MYSQL_DB_NAME: { ...mysql, kind: text, effect: "Database; required without a connection string." },
  MYSQL_USERNAME: { ...mysql, kind: text, effect: "User name; required unless a secret file names it." },
  MYSQL_PASSWORD: { ...mysql, kind: secret, effect: "Password, taken verbatim; none when empty." },
  MYSQL_SECRET_FILE: {
    ...mysql,
    kind: text,
    aliases: ["MYSQL_CREDENTIALS_SECRET_FILE_PATH"],
    effect: "File with `user:password` or JSON `{username, password}`; wins over credentials given otherwise.",
  },
  MYSQL_MIGRATION_USERNAME: {
    ...mysql,
    kind: text,
    effect:
      "User who migrates; MYSQL_USERNAME's or the connection string's when neither this nor the file below is set.",
  },
  MYSQL_MIGRATION_PASSWORD: {
    ...mysql,
    kind: secret,
    effect: "Password of MYSQL_MIGRATION_USERNAME, taken verbatim; none when empty.",
  },
  MYSQL_MIGRATION_SECRET_FILE: {
    ...mysql,
    kind: text,
    effect:
      "File with the credentials of the user who migrates, as MYSQL_SECRET_FILE; wins over the two variables above.",
  },
  MYSQL_OPEN_CONNECTIONS: {
    ...mysql,
    kind: integer(1, 100_000),
    aliases: ["MYSQL_MAX_CONNECTIONS"],
    default: "100",
    effect: "Most connections open at once; a health check may open one more.",
  },
  MYSQL_MAX_IDLE_CONNECTIONS: {
    ...mysql,
    kind: integer(0, 100_000),
    default: "10",
    effect: "Idle connections kept, at most MYSQL_OPEN_CONNECTIONS.",
  },
  MYSQL_IDLE_TIMEOUT_IN_SECS: {
    ...mysql,
    kind: seconds,
    default: "60",
    effect: "A connection idle for this long is closed; those above MYSQL_MAX_IDLE_CONNECTIONS within a second.",
  },
  MYSQL_CONNECT_TIMEOUT_IN_SECS: { ...mysql, kind: seconds, default: "5", effect: "Limit on opening a connection." },
  MYSQL_ACQUIRE_TIMEOUT_IN_SECS: {
    ...mysql,
    kind: seconds,
    default: "10",
    effect: "Limit on waiting for a free connection; then `ErrAcquireTimeout`.",
  },
  MYSQL_ACQUIRE_QUEUE_LIMIT: {
    ...mysql,
    kind: integer(0, 1_000_000),
    default: "1000",
    effect: "Callers that may wait for a connection; a further one is refused at once.",
  },
  MYSQL_QUERY_TIMEOUT_IN_SECS: {
    ...mysql,
    kind: seconds,
    default: "30",
    effect: "Limit on one statement, and the default deadline of a transaction.",
  },
  MYSQL_TLS: { ...mysql, kind: boolean, default: "false", effect: "Connect with TLS." },
  MYSQL_TLS_CA_FILE: { ...mysql, kind: text, effect: "PEM file of the authority; the system's when unset." },
  MYSQL_TLS_SKIP_VERIFY: {
    ...mysql,
    kind: boolean,
    default: "false",
    effect: "Accept any certificate; warned of at each start.",
  },
  REDIS_CLUSTER_MODE_ON: {
    ...redis,
    kind: boolean,
    default: "true",
    effect: "Redis Cluster; `false` is a single instance.",
  },
  REDIS_CLUSTER_ADDRESSES: {
    ...redis,
    kind: addresses,
    effect: "`host:port` list, separated by commas; required, and exactly one in single mode.",
  },
  REDIS_CLUSTER_NAME: {
    ...redis,
    kind: matching(/^[!-~]+$/, "must be printable ASCII without spaces, as CLIENT SETNAME asks"),
    effect: "Client name in CLIENT LIST, in the connection's logs and in the error of a failed start.",
  },
  REDIS_CLUSTER_READ_TIMEOUT_IN_SECS: {
    ...redis,
    kind: seconds,
    default: "5",
    effect: "Limit on the reply to a reading command, once sent.",
  },
  REDIS_CLUSTER_WRITE_TIMEOUT_IN_SECS: {
    ...redis,
    kind: seconds,
    default: "5",
    effect: "Limit on the reply to a writing command, once sent; then its outcome is unknown.",
  },
  REDIS_CLUSTER_DIAL_TIMEOUT_IN_SECS: {
    ...redis,
    kind: seconds,
    default: "5",
    effect: "Limit on opening a connection.",
  },
  REDIS_CLUSTER_POOL_TIMEOUT_IN_SECS: {
    ...redis,
    kind: seconds,
    default: "60",
    effect: "Limit on a command's wait before it is sent: for a place in flight, and for a node that can take it.",
  },
  REDIS_CLUSTER_POOL_SIZE: {
    ...redis,
    kind: integer(1, 1_000_000),
    default: "1000",
    effect: "Most commands in flight at once (connections are multiplexed, not pooled).",
  },
  REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: {
    ...redis,
    kind: integer(1, 1_000_000, "", "0 does not mean no limit here"),
    default: "10000",
    effect:
      "Most commands in flight and waiting together; then `ErrBackpressure`. At least REDIS_CLUSTER_POOL_SIZE, which is the default where it is larger; 0 (no limit, to go-redis) is refused.",
  },
  REDIS_CLUSTER_MIN_IDLE_CONNECTIONS: {
    ...redis,
    kind: integer(0, 1_000_000),
    default: "100",
    effect: "Above 0: connect to every master at start; 0: on first use.",
  },
  REDIS_CLUSTER_MAX_IDLE_CONNECTIONS: {
    ...redis,
    kind: integer(0, 1_000_000),
    effect: "No effect: one shared connection a node, none idle.",
    unused: { level: "info", reason: "this client shares one connection a node instead of pooling idle ones" },
  },
  REDIS_CLUSTER_POOL_FIFO: {
    ...redis,
    kind: boolean,
    effect: "No effect: there is no pool to take from in order.",
    unused: { level: "info", reason: "this client has no pool to take connections from in an order" },
  },
  REDIS_CLUSTER_CONNECTION_MAX_IDLE_TIME_IN_SECS: {
    ...redis,
    kind: integer(0, 2_147_483_647, "seconds"),
    effect: "No effect: a shared connection is kept.",
    unused: { level: "info", reason: "this client keeps its shared connections open while it runs" },
  },
  REDIS_CLUSTER_CONNECTION_MAX_LIFETIME_IN_SECS: {
    ...redis,
    kind: integer(0, 2_147_483_647, "seconds"),
    effect: "No effect: a shared connection is kept.",
    unused: { level: "info", reason: "this client keeps its shared connections open while it runs" },
  },
  REDIS_CLUSTER_MAX_RETRIES: {
    ...redis,
    kind: integer(0, 1_000),
    default: "3",
    effect: "How often a read whose reply was lost is sent again; a write never is.",
  },
  REDIS_CLUSTER_USERNAME: { ...redis, kind: text, effect: "ACL user; the default user when empty." },
  REDIS_CLUSTER_PASSWORD: { ...redis, kind: secret, effect: "Password, taken verbatim; none when empty." },
  REDIS_CLUSTER_SECRET_FILE: {
    ...redis,
    kind: text,
    aliases: ["REDIS_CLUSTER_CREDENTIALS_SECRET_FILE_PATH"],
    effect: "File with `user:password` or JSON `{username, password}`; wins over the two variables above.",
  },
  REDIS_CLUSTER_POD_ROLE_ARN: {
    ...redis,
    kind: text,
    effect: "No effect, warned of: IAM authentication is not done.",
    unused: { level: "warn", reason: "IAM authentication is not done here; use REDIS_CLUSTER_SECRET_FILE" },
  },
  REDIS_CLUSTER_AWS_REGION: {
    ...redis,
    kind: text,
    effect: "No effect: IAM authentication is not done.",
    unused: { level: "info", reason: "it serves IAM authentication, which is not done here" },
  },
  REDIS_CLUSTER_TLS: { ...redis, kind: boolean, default: "false", effect: "Connect with TLS." },
  REDIS_CLUSTER_TLS_CA_FILE: { ...redis, kind: text, effect: "PEM file of the authority; the system's when unset." },
  REDIS_CLUSTER_SKIP_VERIFY: {
    ...redis,
    kind: boolean,
    default: "false",
    effect: "Accept any certificate; warned of at each start.",
  },
  REDIS_CLUSTER_TTL_IN_HOURS: {
    ...redis,
    kind: integer(1, 87_600, "hours"),
    default: "168",
    effect: "A stream that is not written to expires after this time.",
  },
  REDIS_STREAM_MAX_LENGTH: {
    ...redis,
    kind: integer(1, 1_000_000_000),
    default: "10000",
    effect: "Streams are trimmed to about this many entries.",
  },
  REDIS_MAX_PAYLOAD_BYTES: {
    ...redis,
    kind: integer(1, 536_870_912, "bytes"),
    default: "262144",
    effect: "Largest total size of an entry's values or of a message, in bytes.",
  },
  REDIS_MAX_QUEUED_BYTES: {
    ...redis,
    kind: integer(1, 1_073_741_824, "bytes"),
    default: "16777216",
    effect:
      "About how much memory commands in flight may take: 4 KiB each and 2 bytes a character. As much again may wait for a place; then `ErrBackpressure`.",
  },
  REDIS_FOLLOW_SWEEP_INTERVAL_IN_SECS: {
    ...redis,
    kind: seconds,
    default: "10",
    effect:
      "Each followed stream is read at least this often, announced or not; where the server announces nothing, this is how long a signal may take.",
  },
  REDIS_FOLLOW_ENABLE_NOTIFICATIONS: {
    ...redis,
    kind: boolean,
    default: "true",
    effect: "Add `Kt` to a server's `notify-keyspace-events` where it is missing (CONFIG SET, if the user may).",
  },
  SLOW_OPERATION_IN_MILLISECONDS: {
    ...both,
    kind: integer(0, 86_400_000, "milliseconds"),
    default: "1000",
    effect: "A statement or a Redis command that takes this long is logged, without its values; 0 logs none.",
  },
} as const satisfies Record<string, Definition>;

export type VariableName = keyof typeof definitions;

type Value<D> = D extends { kind: Kind<infer T> } ? (D extends { default: string } ? T : T | undefined) : never;

/** What each variable says, or its default. */
export type Values = { readonly [N in VariableName]: Value<(typeof definitions)[N]> };

/** One line of the configuration table. */
export interface Variable {
  readonly name: VariableName;
  readonly aliases: readonly string[];
  readonly store: Store | "both";
  /** As it would be written; empty when there is none. */
  readonly default: string;
  /** One sentence. */
  readonly effect: string;
}

/** All variables `loadConfig` reads, in the order of the README's table. */
export const variables: readonly Variable[] = (Object.keys(definitions) as VariableName[]).map((name) => {
  const definition: Definition = definitions[name];
  const { store, effect, aliases = [], default: standard = "" } = definition;
  return Object.freeze({ name, aliases, store, default: standard, effect });
});
