import { type Environment, loadMysqlConfig } from "../../config/index.js";
import type { ConfigNotice, MysqlConfig } from "../../config/types.js";
import { withDeadline } from "../../deadline.js";
import type { Patient } from "../../doctor/runner.js";
import { CHECK_TIMEOUT_MS } from "../../doctor/runner.js";
import {
  ConfigError,
  type ConfigProblem,
  DataError,
  DeadlineExceededError,
  MysqlPingError,
  QueryError,
} from "../../errors.js";
import { withLease } from "../borrowing.js";
import { connectionAdvice } from "../connectionAdvice.js";
import { closeDataSource, createDataSource, type DataSource, openDataSource } from "../dataSource.js";
import { createMigrationDataSource } from "../migrator/migrator.js";
import { type Database, poolDatabase } from "../repositories/database.js";

export interface MysqlPatientOptions {
  /** Default: the process's. */
  readonly environment?: Environment;
  /** Of each check, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
}

/**
 * How to come to the server: `login` as the run-time user, whatever is with the database, `service` as the same in the database, `migrator` as
 * the user who migrates.
 */
export type Approach = "login" | "service" | "migrator";

/** TypeORM wants a database; every user may use this one. */
const ANYBODYS = "information_schema";
const CLOSE_TIMEOUT_MS = 500;
/** A server that left so many questions in a row without an answer is asked no more. */
const MAX_SILENCES = 2;
/** Shorter than the check's, so that the driver's or the server's own words are told. */
const SHARE_OF_TIMEOUT = 0.8;
const MAX_CONNECT_TIMEOUT_MS = 5_000;
const DENIED = new Set([1044, 1142, 1143, 1227]);

/** MySQL as the environment names it. Connects when it is first asked something. */
export class MysqlPatient implements Patient {
  /** Mistakes in the variables; with any there is no `config`. */
  readonly problems: readonly ConfigProblem[] = [];
  readonly notices: readonly ConfigNotice[] = [];
  /** How long one answer is waited for. */
  readonly patienceMs: number;
  readonly #config: MysqlConfig | undefined;
  readonly #sources = new Map<Approach, Promise<DataSource>>();
  readonly #opened = new Set<DataSource>();
  readonly #answers = new Map<string, Promise<unknown>>();
  #silences = 0;

  constructor({ environment, timeoutMs = CHECK_TIMEOUT_MS }: MysqlPatientOptions = {}) {
    this.patienceMs = Math.ceil(timeoutMs * SHARE_OF_TIMEOUT);
    try {
      const { mysql, notices } = loadMysqlConfig(environment);
      this.#config = mysql;
      this.notices = notices;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.problems = error.problems;
    }
  }

  /** Only for checks that need `mysql.configuration`. */
  get config(): MysqlConfig {
    if (!this.#config) throw new ConfigError(this.problems);
    return this.#config;
  }

  /** Connects, if that was not done yet. @throws MysqlPingError, CredentialError, ConfigError */
  connect(approach: Approach): Promise<DataSource> {
    const known = this.#sources.get(approach) ?? this.#open(approach);
    known.catch(() => undefined);
    this.#sources.set(approach, known);
    return known;
  }

  /** The user who migrates may see triggers; where that user cannot log in, it goes on without. */
  mostSeeing(): Promise<Approach> {
    if (!this.config.migrationCredentials) return Promise.resolve("service");
    return this.connect("migrator").then(
      () => "migrator",
      () => "service",
    );
  }

  /** The rows of one statement, which `signal` ends. @throws what `connect` throws, QueryError, DeadlineExceededError */
  async ask<Row>(
    signal: AbortSignal,
    sql: string,
    params: readonly unknown[] = [],
    approach: Approach = "service",
  ): Promise<Row[]> {
    if (this.#silences >= MAX_SILENCES)
      throw new DeadlineExceededError("MySQL gave no answer before and was not asked again");
    const dataSource = await this.connect(approach);
    try {
      const rows = await withDeadline({ timeoutMs: this.patienceMs, signal, overdue: noAnswer }, (deadline) =>
        withLease(dataSource, deadline, async ({ lease }) => (await lease.promise().query(sql, params))[0]),
      );
      this.#silences = 0;
      return rows as Row[];
    } catch (error) {
      this.#silences = isAnswer(error) ? 0 : this.#silences + 1;
      throw error;
    }
  }

  /** What `find` finds out is found out once for all checks. */
  once<T>(what: string, find: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(what) ?? find();
    known.catch(() => this.#answers.delete(what));
    this.#answers.set(what, known);
    return known as Promise<T>;
  }

  /** Changes rows, as the run-time user with the configured time limits. */
  async mend<T>(work: (database: Database) => Promise<T>): Promise<T> {
    const dataSource = createDataSource({ mysql: { ...this.config, maxConnections: 1 } });
    await this.#start(dataSource);
    return work(poolDatabase(dataSource));
  }

  advise(error: unknown): string | undefined {
    if (error instanceof MysqlPingError && error.cause instanceof DataError) return connectionAdvice(error.cause);
    if (error instanceof QueryError && error.errno !== undefined && DENIED.has(error.errno))
      return "The user lacks a right: GRANT what the message names, or see what mysql.grants says";
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened].map((dataSource) => closeDataSource(dataSource, CLOSE_TIMEOUT_MS)));
  }

  async #open(approach: Approach): Promise<DataSource> {
    const times = { queryTimeoutMs: this.patienceMs, acquireTimeoutMs: this.patienceMs };
    const mysql = { ...this.config, ...times, maxConnections: 1, ...(approach === "login" && { database: ANYBODYS }) };
    const dataSource = approach === "migrator" ? createMigrationDataSource({ mysql }) : createDataSource({ mysql });
    await this.#start(dataSource);
    return dataSource;
  }

  async #start(dataSource: DataSource): Promise<void> {
    this.#opened.add(dataSource);
    await openDataSource(dataSource, Math.min(this.patienceMs, MAX_CONNECT_TIMEOUT_MS));
  }
}

/** The server's own errors have a number above 0, also where its time limit ended a statement. */
function isAnswer(error: unknown): boolean {
  const { errno } = (error instanceof DataError ? (error.cause ?? error) : {}) as { errno?: number };
  return errno !== undefined && errno > 0;
}

function noAnswer(): DeadlineExceededError {
  return new DeadlineExceededError("MySQL did not answer in time");
}
