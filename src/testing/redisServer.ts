import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { PortTakenError, ServerStartError } from "./errors.js";
import type { Place, Program } from "./place.js";
import { withFreePorts } from "./ports.js";
import { type Server, ServerProcess, type ServerTls } from "./server.js";
import { findSource } from "./sources.js";

export interface RedisServerOptions {
  /** Serves TLS with this certificate, and nothing without TLS. */
  readonly tls?: ServerTls;
  /** Lines of Redis' ACL syntax without the leading `user`, such as `default off` or `app on >secret ~* &* +@all`. */
  readonly users?: readonly string[];
  /** More lines for the server's configuration file, such as `maxmemory 1mb`. */
  readonly args?: readonly string[];
  readonly onProgress?: (line: string) => void;
}

export interface RedisServer extends Server {
  /** `REDIS_CLUSTER_*` variables. User and password are the caller's to add when `users` were given. */
  readonly environment: Record<string, string>;
  /** A user with all rights that is there whatever `users` says. */
  readonly admin: { readonly username: string; readonly password: string };
  /** Sends one command as the admin, on a connection of its own, and returns the reply. Fails after 5 s. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
}

const READY_WITHIN_MS = 20_000;
const CALL_WITHIN_MS = 5_000;
const OLDEST = [6, 2] as const;

/** A private single Redis instance; never the one that the environment names. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const source = await findSource("redis", options.onProgress);
  return withFreePorts(1, async ([port]) => {
    const place = await source.open([port as number]);
    try {
      const server = await startRedisIn(place, port as number, options, createAdmin());
      return { ...server, stop: () => place.close() };
    } catch (error) {
      await place.close();
      throw error;
    }
  });
}

export interface Admin {
  readonly username: string;
  readonly password: string;
}

export function createAdmin(): Admin {
  return { username: "testing-admin", password: randomBytes(12).toString("hex") };
}

/** One server in a place that others may share; its `stop` only kills it. */
export async function startRedisIn(
  place: Place,
  port: number,
  options: RedisServerOptions,
  admin: Admin,
): Promise<RedisServer> {
  const binary = await place.find("redis-server");
  if (!binary) throw new ServerStartError("redis-server is missing");
  const dataFolder = await place.makeFolder(`redis-${port}`);
  const lines = configuration(place, dataFolder, port, options, admin).concat(await tlsLines(place, port, options.tls));
  const file = await place.write(`redis-${port}.conf`, `${[...lines, ...(options.args ?? [])].join("\n")}\n`);

  let version = "";
  const process = new ServerProcess(place, async () => {
    const program = await place.start([binary, file]);
    version = await untilReady(program);
    return program;
  });
  await process.start();
  return {
    host: "127.0.0.1",
    port,
    peerHost: place.peerAddress,
    version,
    admin,
    environment: singleEnvironment(port, options.tls),
    call: (command, ...args) => call(port, options.tls, admin, command, args),
    kill: () => process.kill(),
    pause: () => process.pause(),
    resume: () => process.resume(),
    restart: () => process.restart(),
    stop: () => process.kill(),
  };
}

function configuration(
  place: Place,
  dataFolder: string,
  port: number,
  { tls, users }: RedisServerOptions,
  admin: Admin,
) {
  return [
    `port ${tls ? 0 : port}`,
    `bind ${place.bindAddress}`,
    "protected-mode no",
    "daemonize no",
    `dir ${dataFolder}`,
    'save ""',
    "appendonly yes",
    "appendfsync everysec",
    // Diskless, a new replica gets its data after 5 s, and may count as online up to 1 s before it is sent what is written.
    "repl-diskless-sync no",
    `user ${admin.username} on >${admin.password} ~* &* +@all`,
    `masteruser ${admin.username}`,
    `masterauth ${admin.password}`,
    ...(users ?? []).map((user) => `user ${user}`),
  ];
}

async function tlsLines(place: Place, port: number, tls: ServerTls | undefined): Promise<string[]> {
  if (!tls) return [];
  const ca = await place.write(`redis-${port}-ca.pem`, tls.ca);
  const cert = await place.write(`redis-${port}-cert.pem`, tls.cert);
  const key = await place.write(`redis-${port}-key.pem`, tls.key);
  const files = [`tls-ca-cert-file ${ca}`, `tls-cert-file ${cert}`, `tls-key-file ${key}`];
  return [`tls-port ${port}`, ...files, "tls-auth-clients no", "tls-replication yes"];
}

/** @returns the version; Valkey calls itself so */
async function untilReady(program: Program): Promise<string> {
  try {
    await program.output.waitFor(/Ready to accept connections/i, READY_WITHIN_MS, "Redis server");
  } catch (error) {
    if (/Address already in use/i.test(program.output.text)) throw new PortTakenError("Redis server: port taken");
    throw error;
  }
  const version = program.output.text.match(/(?:Redis|Valkey) version=([\d.]+)/)?.[1] ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new ServerStartError(`redis-server is version ${version}; 6.2 or later is needed`);
  return version;
}

function singleEnvironment(port: number, tls: ServerTls | undefined): Record<string, string> {
  return {
    REDIS_CLUSTER_MODE_ON: "false",
    REDIS_CLUSTER_ADDRESSES: `127.0.0.1:${port}`,
    REDIS_CLUSTER_TLS: String(tls !== undefined),
  };
}

async function call(
  port: number,
  tls: ServerTls | undefined,
  admin: Admin,
  command: string,
  args: (string | number)[],
): Promise<unknown> {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    ...admin,
    ...(tls && { tls: { rejectUnauthorized: false } }),
    connectTimeout: CALL_WITHIN_MS,
    commandTimeout: CALL_WITHIN_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    lazyConnect: true,
  });
  // Without a listener ioredis prints connection errors; the command below rejects with them.
  client.on("error", () => undefined);
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}
