import { randomBytes } from "node:crypto";
import { PortTakenError, ServerStartError } from "./errors.js";
import type { Place, Program, Source } from "./place.js";
import { withFreePorts } from "./ports.js";
import { type Server, ServerProcess, type ServerTls } from "./server.js";
import { findSource } from "./sources.js";

export interface MysqlServerOptions {
  /** Serves TLS with this certificate; connections without TLS stay possible unless `args` has `--require-secure-transport=ON`. */
  readonly tls?: ServerTls;
  /** More options for the server's command line. */
  readonly args?: readonly string[];
  readonly onProgress?: (line: string) => void;
}

export interface MysqlServer extends Server {
  /** `MYSQL_*` variables of a user that may do everything in databases named `doordarshan…`, and nothing else. */
  readonly environment: Record<string, string>;
  /** A user with all privileges, for `SET GLOBAL`, `KILL` and the like. */
  readonly admin: { readonly username: string; readonly password: string };
}

const READY_WITHIN_MS = 60_000;

/**
 * Small and quick. A commit is with the operating system before it is acknowledged, so that kill -9 proves something; it is not waited
 * for until the disk has it, since no test cuts the power.
 */
const SETTINGS = [
  "--innodb-flush-log-at-trx-commit=1",
  "--loose-innodb-flush-method=nosync",
  "--innodb-buffer-pool-size=64M",
  "--innodb-use-native-aio=0",
  "--performance-schema=OFF",
  "--max-connections=400",
  "--skip-name-resolve",
  "--skip-log-bin",
  "--loose-mysqlx=OFF",
  "--pid-file=server.pid-file",
  "--socket=server.sock",
];

/** A private MySQL or MariaDB server with an empty database `doordarshan`; never the one that the environment names. */
export async function startMysqlServer(options: MysqlServerOptions = {}): Promise<MysqlServer> {
  const source = await findSource("mysql", options.onProgress);
  return withFreePorts(1, async ([port]) => {
    const place = await source.open([port as number]);
    try {
      return await startIn(place, source, port as number, options);
    } catch (error) {
      await place.close();
      throw error;
    }
  });
}

async function startIn(place: Place, source: Source, port: number, options: MysqlServerOptions): Promise<MysqlServer> {
  const binary = await place.find("mariadbd", "mysqld");
  if (!binary) throw new ServerStartError(`Neither mariadbd nor mysqld is among the ${source.label}`);
  const datadir = `${place.folder}/data`;
  await fill(place, source, binary, datadir);
  const users = createUsers();
  const initFile = await place.write("init.sql", users.sql);
  const base = [binary, "--no-defaults", ...place.mysqlArgs, `--datadir=${datadir}`, ...SETTINGS];
  const listen = [`--bind-address=${place.bindAddress}`, `--port=${port}`, `--init-file=${initFile}`];
  const command = [...base, ...listen, ...(await tlsArgs(place, options.tls)), ...(options.args ?? [])];

  let version = "";
  const process = new ServerProcess(place, async () => {
    const program = await place.start(command);
    version = await untilReady(program);
    return program;
  });
  await process.start();
  return {
    host: "127.0.0.1",
    port,
    peerHost: place.peerAddress,
    version,
    environment: {
      MYSQL_ENDPOINT: "127.0.0.1",
      MYSQL_PORT: String(port),
      MYSQL_DB_NAME: "doordarshan",
      MYSQL_USERNAME: users.username,
      MYSQL_PASSWORD: users.password,
    },
    admin: users.admin,
    kill: () => process.kill(),
    pause: () => process.pause(),
    resume: () => process.resume(),
    restart: () => process.restart(),
    stop: () => place.close(),
  };
}

/** Data folders that no server ran on. Each stays until this process ends, and then goes away with its place. */
const templates = new Map<Source, Promise<string>>();

/** A copy takes a fraction of the time that a new data folder takes. */
async function fill(place: Place, source: Source, binary: string, datadir: string): Promise<void> {
  if (!source.sharesFiles) return initialize(place, binary, datadir);
  const template = templates.get(source) ?? makeTemplate(source, binary);
  templates.set(source, template);
  template.catch(() => templates.delete(source));
  await place.run(["cp", "-R", await template, datadir], READY_WITHIN_MS);
}

async function makeTemplate(source: Source, binary: string): Promise<string> {
  const place = await source.open([]);
  const datadir = `${place.folder}/data`;
  try {
    await initialize(place, binary, datadir);
    // Each server gives itself an identity of its own.
    await place.run(["rm", "-f", `${datadir}/auto.cnf`], READY_WITHIN_MS);
    return datadir;
  } catch (error) {
    await place.close();
    throw error;
  }
}

async function initialize(place: Place, binary: string, datadir: string): Promise<void> {
  const isMariadb = (await place.run([binary, "--version"], READY_WITHIN_MS)).includes("MariaDB");
  if (!isMariadb) {
    const command = [binary, "--no-defaults", ...place.mysqlArgs, "--initialize-insecure", `--datadir=${datadir}`];
    await place.run(command, READY_WITHIN_MS);
    return;
  }
  const installer = await place.find("mariadb-install-db", "mysql_install_db");
  if (!installer) throw new ServerStartError("mariadb-install-db is missing beside mariadbd");
  // Forced: otherwise it insists on looking up the machine's name, which nothing here depends on.
  const options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--force"];
  await place.run(
    [installer, "--no-defaults", ...place.mysqlArgs, ...options, `--datadir=${datadir}`],
    READY_WITHIN_MS,
  );
}

/** Users with random passwords. The server runs the SQL at every start, before it takes connections. */
function createUsers() {
  const [password, adminPassword] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
  const sql = [
    "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', ''@'localhost';",
    "CREATE DATABASE IF NOT EXISTS doordarshan CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
    `CREATE USER IF NOT EXISTS 'doordarshan'@'%' IDENTIFIED BY '${password}';`,
    "GRANT ALL ON `doordarshan%`.* TO 'doordarshan'@'%';",
    `CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY '${adminPassword}';`,
    "GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;",
    "",
  ].join("\n");
  return { username: "doordarshan", password, admin: { username: "admin", password: adminPassword }, sql };
}

async function tlsArgs(place: Place, tls: ServerTls | undefined): Promise<string[]> {
  if (!tls) return [];
  const paths = [place.write("ca.pem", tls.ca), place.write("cert.pem", tls.cert), place.write("key.pem", tls.key)];
  const [ca, cert, key] = await Promise.all(paths);
  return [`--ssl-ca=${ca}`, `--ssl-cert=${cert}`, `--ssl-key=${key}`];
}

/** @returns the version, from the line that both engines print once they take connections */
async function untilReady(program: Program): Promise<string> {
  try {
    const [, version] = await program.output.waitFor(
      /Version: '([^']+)'\s+socket: .* port: \d+/,
      READY_WITHIN_MS,
      "MySQL server",
    );
    return version as string;
  } catch (error) {
    if (/Address already in use/.test(program.output.text)) throw new PortTakenError("MySQL server: port taken");
    throw error;
  }
}
