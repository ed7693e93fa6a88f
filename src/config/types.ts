import type { Secret } from "./secret.js";

/** Where user name and password come from. A file is read when a client is made, so that a rotated secret needs only a restart. */
export type CredentialSource =
  | {
      readonly kind: "variables";
      readonly variable: string;
      readonly username: string | undefined;
      readonly password: Secret | undefined;
    }
  | { readonly kind: "file"; readonly variable: string; readonly path: string };

export interface TlsConfig {
  /** PEM file of the certificate authority; the system's authorities where undefined. */
  readonly caFile: string | undefined;
  /** Whether the server's chain and host name are checked. */
  readonly verify: boolean;
}

export interface MysqlConfig {
  readonly address: { readonly host: string; readonly port: number } | { readonly socketPath: string };
  readonly database: string;
  readonly credentials: CredentialSource;
  /** Of the user who migrates; undefined: `credentials`. */
  readonly migrationCredentials: CredentialSource | undefined;
  readonly tls: TlsConfig | undefined;
  /** A utf8mb4 collation for the connection; columns carry their own. */
  readonly collation: string;
  /** Most connections open at once. */
  readonly maxConnections: number;
  /** Idle connections kept; those above are closed within a second. Any that is idle for `idleTimeoutMs` is closed too. */
  readonly maxIdleConnections: number;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How long a caller waits for a free connection. */
  readonly acquireTimeoutMs: number;
  /** How many callers may wait for one. */
  readonly acquireQueueLimit: number;
  /** How long one statement may run, and the default deadline of a transaction. */
  readonly queryTimeoutMs: number;
  /** A statement that takes this long is logged; 0: none is. */
  readonly slowOperationMs: number;
}

export interface RedisConfig {
  readonly mode: "cluster" | "single";
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Client name shown by CLIENT LIST, in logs and in errors. */
  readonly name: string | undefined;
  readonly credentials: CredentialSource;
  readonly tls: TlsConfig | undefined;
  readonly dialTimeoutMs: number;
  /** How long a reading command waits for its reply once sent. */
  readonly readTimeoutMs: number;
  /** How long a writing command waits for its reply once sent. */
  readonly writeTimeoutMs: number;
  /** How long a command may wait before it is sent: for a place in flight and for a node that can take it. */
  readonly poolTimeoutMs: number;
  /** Most commands in flight at once. */
  readonly maxInFlight: number;
  /** Most callers waiting for a place in flight; a further one is refused at once. */
  readonly maxWaiting: number;
  /** Whether `start()` connects to every master before it reports ready. */
  readonly connectAllAtStart: boolean;
  /** How often a read whose reply was lost is sent again. Writes never are. */
  readonly maxRetries: number;
  /** Idle streams expire after this time. */
  readonly streamTtlMs: number;
  /** Streams are trimmed to about this many entries. */
  readonly streamMaxLength: number;
  /** Largest total size of an entry's values, in bytes. */
  readonly maxPayloadBytes: number;
  /** About how much memory commands in flight may take, in bytes; those that wait for a place, as much again. */
  readonly maxQueuedBytes: number;
  /** Each followed stream is read at least this often, announced or not. */
  readonly followSweepMs: number;
  /** Whether keyspace notifications are switched on where they are off. */
  readonly enableNotifications: boolean;
  /** A command that takes this long is logged; 0: none is. */
  readonly slowOperationMs: number;
}

/** A connection string's parameter: its name and its decoded value, undefined where it has no `=`. */
export type Parameter = readonly [name: string, value: string | undefined];

/** What a connection string says. Safe to print. */
export interface ConnectionParts {
  /** Empty when there is none. */
  readonly username: string;
  readonly password: Secret | undefined;
  readonly address: MysqlConfig["address"];
  /** Empty when there is none. */
  readonly database: string;
  /** In order; of two with the same name the last one counts. */
  readonly parameters: readonly Parameter[];
}

/** Something the operator should know, logged once at start. */
export interface ConfigNotice {
  readonly level: "info" | "warn";
  readonly variable: string;
  readonly message: string;
}

/** What `loadConfig` returns: frozen, and safe to print. */
export interface DataConfig {
  readonly mysql: MysqlConfig;
  readonly redis: RedisConfig;
  readonly notices: readonly ConfigNotice[];
}

/** What `loadMysqlConfig` returns: frozen, and safe to print. */
export type MysqlOnlyConfig = Pick<DataConfig, "mysql" | "notices">;

/** What `loadRedisConfig` returns: frozen, and safe to print. */
export type RedisOnlyConfig = Pick<DataConfig, "redis" | "notices">;
