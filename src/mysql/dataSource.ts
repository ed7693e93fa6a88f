import type { PoolOptions } from "mysql2";
import { DataSource, type Logger as TypeormLogger } from "typeorm";
import { migrations } from "../../migrations/index.js";
import { readAuthority, readCredentials } from "../config/index.js";
import type { DataConfig, MysqlConfig, TlsConfig } from "../config/types.js";
import { type Instruments, NO_INSTRUMENTS } from "../telemetry/instruments.js";
import { lineLogger } from "../telemetry/lineLogger.js";
import { type Logger, NO_LOGGER } from "../telemetry/logger.js";
import { toDataError } from "./driverErrors.js";
import { entities } from "./entities/index.js";
import { hideCriteria } from "./notFound.js";
import { GuardedPool } from "./pool.js";
import { sessionSql, statementLimitMs } from "./session.js";

export type { DataSource } from "typeorm";
export { closeDataSource, openDataSource } from "./opening.js";

export interface DataSourceOptions {
  /** Is told of connections, of the pool's use, of slow statements and of unfit credentials files. Default: nobody. */
  readonly logger?: Logger;
  /** Where metrics go. Default: nowhere. */
  readonly instruments?: Instruments;
  /** Whether a statement may take at most `queryTimeoutMs`, here and on the server. Default true; migrations set false. */
  readonly limitStatements?: boolean;
}

/**
 * Makes the pooled DataSource; connects to nothing. Statements of every kind (`query`, repositories, query builders) run
 * under `acquireTimeoutMs` and `queryTimeoutMs` and throw errors of this package, which hold neither SQL nor values.
 * @throws CredentialError when the secret file cannot be used
 * @throws ConfigError when the file of the certificate authority cannot be used
 */
export function createDataSource(
  { mysql }: Pick<DataConfig, "mysql">,
  { logger: given, instruments = NO_INSTRUMENTS, limitStatements = true }: DataSourceOptions = {},
): DataSource {
  const logger = given ? lineLogger(given) : NO_LOGGER;
  const statementTimeoutMs = limitStatements ? statementLimitMs(mysql) : undefined;
  const secrets = connectionSecrets(mysql, logger);
  const pool = new GuardedPool({
    // Migrations tell themselves how long they take.
    config: limitStatements ? mysql : { ...mysql, slowOperationMs: 0 },
    secrets,
    sessionSql: sessionSql(mysql, statementTimeoutMs),
    statementTimeoutMs,
    logger,
    instruments,
  });
  const dataSource = new DataSource({
    type: "mysql",
    // TypeORM asks this object for a pool as it would ask the mysql2 module.
    driver: pool,
    ...address(mysql),
    database: mysql.database,
    connectTimeout: mysql.connectTimeoutMs,
    timezone: "Z",
    supportBigNumbers: true,
    bigNumberStrings: true,
    entities: [...entities],
    migrations: [...migrations],
    migrationsTransactionMode: "each",
    synchronize: false,
    logging: false,
    // Without one TypeORM's stays: its command line shows migrations through it.
    ...(given && { logger: typeormLogger(logger) }),
  });
  pool.attach(dataSource);
  throwOurErrors(dataSource);
  hideCriteria(dataSource);
  tellEngineApart(dataSource);
  return dataSource;
}

function address({ address }: MysqlConfig): { host: string; port: number } | { socketPath: string } {
  return "socketPath" in address ? { socketPath: address.socketPath } : { host: address.host, port: address.port };
}

function connectionSecrets({ credentials, tls }: MysqlConfig, logger: Logger): PoolOptions {
  const { username, password, warnings } = readCredentials(credentials);
  for (const { variable, message } of warnings) logger.warn({ event: "config.notice", variable }, message);
  logger.info(
    { event: "mysql.credentials", source: credentials.kind, variable: credentials.variable },
    "MySQL credentials read",
  );
  return {
    ...(username !== undefined && { user: username }),
    ...(password && { password: password.reveal() }),
    ...(tls && { ssl: tlsOptions(tls) }),
    multipleStatements: false,
    flags: ["-LOCAL_FILES"],
  };
}

/** mysql2 checks the host name only when told to. */
function tlsOptions({ caFile, verify }: TlsConfig): NonNullable<PoolOptions["ssl"]> {
  return {
    rejectUnauthorized: verify,
    verifyIdentity: verify,
    ...(verify && caFile !== undefined && { ca: readAuthority("MYSQL_TLS_CA_FILE", caFile) }),
  };
}

/** TypeORM writes some SQL, and reads the schema, by engine; which one it is shows only once connected. */
function tellEngineApart(dataSource: DataSource): void {
  const initialize = dataSource.initialize.bind(dataSource);
  dataSource.initialize = async () => {
    await initialize();
    const [row]: { version: string }[] = await dataSource.query("SELECT VERSION() AS version");
    const options: { type: string } = dataSource.driver.options;
    options.type = row?.version.includes("MariaDB") ? "mariadb" : "mysql";
    return dataSource;
  };
}

/** TypeORM's own errors carry the statement and its parameters. */
function throwOurErrors(dataSource: DataSource): void {
  const createQueryRunner = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => {
    const runner = createQueryRunner(mode);
    const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
    runner.query = async (...args: unknown[]) => {
      try {
        // biome-ignore lint/suspicious/noExplicitAny: the overloads' result depends on an argument.
        return (await query(...args)) as any;
      } catch (error) {
        throw toDataError(error);
      }
    };
    return runner;
  };
}

/** Passes on what happens to connections, and never a statement. */
function typeormLogger(logger: Logger): TypeormLogger {
  const nothing = () => undefined;
  return {
    logQuery: nothing,
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: (message) => logger.debug({ event: "mysql.schema" }, message),
    logMigration: (message) => logger.info({ event: "mysql.migration" }, message),
    log: (level, message) => level === "warn" && logger.warn({ event: "mysql.warning" }, String(message)),
  };
}
