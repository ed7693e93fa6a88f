import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import { createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import type { DataSource } from "typeorm";
import type { MysqlConfig } from "../config/types.js";
import { type Deadline, withDeadline } from "../deadline.js";
import { AcquireTimeoutError, type DataError } from "../errors.js";
import { Limiter } from "../limiter.js";
import { Carried } from "../telemetry/carried.js";
import type { Instruments } from "../telemetry/instruments.js";
import type { Logger } from "../telemetry/logger.js";
import { outsideOfCallers } from "../telemetry/outsideOfCallers.js";
import { SlowLines } from "../telemetry/slowLines.js";
import { toDataError } from "./driverErrors.js";
import { Lease } from "./lease.js";
import { CutError } from "./leaseErrors.js";
import { closedError, refused } from "./poolErrors.js";
import { PoolSockets } from "./poolSockets.js";
import { ConnectionWatch } from "./telemetry/connectionWatch.js";
import { PoolWatch } from "./telemetry/poolWatch.js";
import { StatementWatch } from "./telemetry/statementWatch.js";

export interface GuardedPoolOptions {
  readonly config: MysqlConfig;
  /** Given to mysql2 beside what TypeORM passes, so that the DataSource never holds a password. */
  readonly secrets: PoolOptions;
  /** Runs on each new connection before anyone gets it. */
  readonly sessionSql: string;
  /** How long one statement may take, in milliseconds; undefined: for ever. */
  readonly statementTimeoutMs: number | undefined;
  readonly logger: Logger;
  readonly instruments: Instruments;
}

/** The pool at this moment. The connection that health checks may open beyond the limit counts only while it is idle. */
export interface PoolState {
  /** Connections lent, or being opened for somebody. */
  readonly used: number;
  /** Open connections that nobody uses. */
  readonly idle: number;
  /** Callers that wait for one. */
  readonly waiting: number;
  /** Most that may be used at once. */
  readonly limit: number;
}

/** Why and how a connection is borrowed. */
export interface Borrowing {
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Take the one connection beyond the limit: to ask for the server's health, however busy the pool is. */
  readonly spare?: boolean;
}

const borrowings = new Carried<{ readonly pool: GuardedPool; readonly how: Borrowing }>("borrowing");

const pools = new WeakMap<DataSource, GuardedPool>();

/** The pool under a DataSource that `createDataSource` made. */
export function poolOf(dataSource: DataSource): GuardedPool {
  const pool = pools.get(dataSource);
  if (!pool) throw new TypeError("This DataSource was not made by createDataSource()");
  return pool;
}

/**
 * A mysql2 pool whose waits end: TypeORM takes it for the `mysql2` module (`createPool`) and for its pool.
 * mysql2's own pool has no acquire timeout, hands out busy connections and waits for frozen servers.
 */
export class GuardedPool {
  readonly limiter: Limiter;
  readonly instruments: Instruments;
  /** How long `end` waits for borrowed connections, in milliseconds. */
  drainMs = 5_000;
  readonly #options: GuardedPoolOptions;
  readonly #sockets: PoolSockets;
  readonly #leases = new Set<Lease>();
  readonly #ready = new WeakSet<PoolConnection>();
  readonly #idle = new Set<PoolConnection>();
  readonly #lost = new WeakSet<PoolConnection>();
  readonly #connections: ConnectionWatch;
  readonly #use: PoolWatch;
  readonly #statements: StatementWatch;
  readonly #spare: Limiter;
  readonly #changes = new EventEmitter();
  #pool: Pool | undefined;

  constructor(options: GuardedPoolOptions) {
    this.#options = options;
    const { config, instruments, logger } = options;
    const { maxConnections, acquireQueueLimit, acquireTimeoutMs } = config;
    const waits = { queueLimit: acquireQueueLimit, timeoutMs: acquireTimeoutMs, refused };
    this.limiter = new Limiter({ ...waits, limit: maxConnections });
    this.#spare = new Limiter({ ...waits, limit: 1 });
    this.instruments = instruments;
    this.#connections = new ConnectionWatch(instruments, logger, config);
    this.#sockets = new PoolSockets(config.address, {
      onOpening: () => this.#connections.opening(),
      onClosed: () => this.#changes.emit("change"),
    });
    this.#use = new PoolWatch(instruments, logger, () => this.state);
    this.#statements = new StatementWatch(instruments, new SlowLines(logger, "mysql", config.slowOperationMs), config);
  }

  /** The default deadline of a transaction, in milliseconds. */
  get queryTimeoutMs(): number {
    return this.#options.config.queryTimeoutMs;
  }

  get state(): PoolState {
    const { inUse, waiting, options } = this.limiter;
    return { used: inUse, idle: this.#idle.size, waiting, limit: options.limit };
  }

  /** Makes `poolOf(dataSource)` find this pool. */
  attach(dataSource: DataSource): void {
    pools.set(dataSource, this);
  }

  createPool(options: PoolOptions): this {
    this.#pool = createPool({
      ...options,
      ...this.#options.secrets,
      ...poolLimits(this.#options.config),
      stream: () => this.#sockets.open(),
    });
    this.#watch(this.#pool);
    outsideOfCallers(() => this.#use.begin());
    return this;
  }

  /** A connection may fail while nobody uses it; the pool drops it, and there is nothing else to do. */
  #watch(pool: Pool): void {
    pool.on("release", (connection) => this.#idle.add(connection));
    pool.on("acquire", (connection) => this.#idle.delete(connection));
    pool.on("connection", (connection) => {
      connection.on("error", (error) => {
        if ((error as unknown) instanceof CutError) return;
        this.#failed(connection, toDataError(error), this.#idle.delete(connection));
      });
      socketOf(connection).once("close", () => this.#idle.delete(connection));
    });
  }

  /** The driver tells of it in more than one way. */
  #failed(connection: PoolConnection, error: DataError, idle = false): void {
    if (this.#lost.has(connection)) return;
    this.#lost.add(connection);
    this.#connections.lost(error, { idle });
  }

  getConnection(done: (error: DataError | null, lease?: Lease) => void): void {
    this.acquire().then((lease) => done(null, lease), done);
  }

  /** Whoever acquires inside `run` does so in this way. */
  borrowing<T>(how: Borrowing, run: () => Promise<T>): Promise<T> {
    return borrowings.run({ pool: this, how }, run);
  }

  /** What TypeORM's `destroy()` calls. */
  end(done: (error?: Error) => void): void {
    this.close(this.drainMs).then(() => done(), done);
  }

  /** Waits at most `timeoutMs` for borrowed connections to come back, then cuts what is left. */
  async close(timeoutMs: number): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await withDeadline({ timeoutMs, overdue: closedError }, async (deadline) => {
      await this.#whenEmpty(this.#leases, deadline);
      // Says goodbye on each connection; a frozen server would never answer it.
      pool?.end(() => undefined);
      await this.#whenEmpty(this.#sockets.all, deadline);
    });
    for (const lease of this.#leases) lease.destroy(closedError());
    // With an error: closed without, in the midst of starting TLS, the driver emits one that nobody listens for.
    for (const socket of this.#sockets.all) socket.destroy(new CutError());
    this.#use.end(this.#connections.counts);
  }

  /**
   * A connection to be given back with `release`.
   * @throws AcquireTimeoutError, OperationAbortedError, QueryError
   */
  async acquire(): Promise<Lease> {
    const began = performance.now();
    try {
      const lease = await this.#acquire(began);
      this.#use.borrowed(performance.now() - began);
      return lease;
    } catch (error) {
      this.#use.refused(error);
      throw error;
    }
  }

  async #acquire(began: number): Promise<Lease> {
    const borrowed = borrowings.value;
    const { signal, spare }: Partial<Borrowing> = borrowed?.pool === this ? borrowed.how : {};
    const { acquireTimeoutMs } = this.#options.config;
    const limiter = spare ? this.#spare : this.limiter;
    const entering = limiter.acquire({ signal });
    if (limiter.waiting > 0) this.#use.waits();
    const leave = await entering;
    const timeoutMs = Math.max(1, acquireTimeoutMs - (performance.now() - began));
    const overdue = () => new AcquireTimeoutError(`The server gave no connection within ${acquireTimeoutMs} ms`);
    return withDeadline({ timeoutMs, signal, overdue }, (deadline) => {
      const opening = this.#open(leave);
      return deadline.race(opening).catch((error) => {
        // Nobody waits for it any more.
        opening.then((lease) => lease.release()).catch(() => undefined);
        throw error;
      });
    });
  }

  async #open(leave: () => void): Promise<Lease> {
    const began = performance.now();
    try {
      const connection = await this.#checkOut();
      const borrowedAt = performance.now();
      const lease: Lease = new Lease(connection, {
        statementTimeoutMs: this.#options.statementTimeoutMs,
        onEnd: () => this.#ended(lease, leave, borrowedAt),
        onLost: (error) => this.#failed(connection, error),
        statements: this.#statements,
      });
      this.#leases.add(lease);
      if (!this.#ready.has(connection)) await this.#prepare(connection, lease, began);
      return lease;
    } catch (error) {
      leave();
      throw toDataError(error);
    }
  }

  #checkOut(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      if (!this.#pool) return reject(closedError());
      this.#pool.getConnection((error, connection) => {
        if (!error) return resolve(connection);
        if (this.#pool) this.#connections.failed(toDataError(error));
        reject(error);
      });
    });
  }

  async #prepare(connection: PoolConnection, lease: Lease, began: number): Promise<void> {
    try {
      await lease.prepareSession(this.#options.sessionSql);
      this.#ready.add(connection);
      this.#connections.opened(performance.now() - began);
    } catch (error) {
      if (this.#pool && !this.#lost.has(connection)) this.#connections.failed(toDataError(error));
      lease.destroy();
      throw error;
    }
  }

  #ended(lease: Lease, leave: () => void, borrowedAt: number): void {
    this.#leases.delete(lease);
    leave();
    this.#use.returned(borrowedAt);
    this.#changes.emit("change");
  }

  async #whenEmpty(set: ReadonlySet<unknown>, deadline: Deadline): Promise<void> {
    while (set.size > 0 && !deadline.error) {
      await deadline.race(once(this.#changes, "change", { signal: deadline.signal })).catch(() => undefined);
    }
  }
}

/** mysql2's typings leave it out. */
function socketOf(connection: PoolConnection): Socket {
  return (connection as unknown as { readonly stream: Socket }).stream;
}

/** The limiter bounds the connections. mysql2's own limit is one above: for the spare one, and since its idle reaper runs only below it. */
function poolLimits({ maxConnections, maxIdleConnections, idleTimeoutMs }: MysqlConfig): PoolOptions {
  return {
    connectionLimit: maxConnections + 1,
    maxIdle: Math.min(maxIdleConnections, maxConnections),
    idleTimeout: idleTimeoutMs,
    gracefulEnd: true,
  };
}
