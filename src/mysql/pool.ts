import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import { createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import type { DataSource } from "typeorm";
import type { MysqlConfig } from "../config/types.js";
import { type Deadline, withDeadline } from "../deadline.js";
import { AcquireTimeoutError, type DataError, DriverError, QueryError } from "../errors.js";
import { Limiter } from "../limiter.js";
import { toDataError } from "./driverErrors.js";
import { Lease } from "./lease.js";

export interface GuardedPoolOptions {
  readonly config: MysqlConfig;
  /** Given to mysql2 beside what TypeORM passes, so that the DataSource never holds a password. */
  readonly secrets: PoolOptions;
  /** Runs on each new connection before anyone gets it. */
  readonly sessionSql: string;
  /** How long one statement may take, in milliseconds; undefined: for ever. */
  readonly statementTimeoutMs: number | undefined;
  /** Is told of a connection that failed while nobody used it. */
  readonly onIdleFailure?: (failure: DataError) => void;
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
  /** How long `end` waits for borrowed connections, in milliseconds. */
  drainMs = 5_000;
  readonly #options: GuardedPoolOptions;
  readonly #sockets = new Set<Socket>();
  readonly #leases = new Set<Lease>();
  readonly #ready = new WeakSet<PoolConnection>();
  readonly #idle = new Set<PoolConnection>();
  readonly #spare: Limiter;
  readonly #borrowing = new AsyncLocalStorage<Borrowing>();
  readonly #changes = new EventEmitter();
  #pool: Pool | undefined;

  constructor(options: GuardedPoolOptions) {
    this.#options = options;
    const { maxConnections, acquireQueueLimit, acquireTimeoutMs } = options.config;
    const waits = { queueLimit: acquireQueueLimit, timeoutMs: acquireTimeoutMs, refused };
    this.limiter = new Limiter({ ...waits, limit: maxConnections });
    this.#spare = new Limiter({ ...waits, limit: 1 });
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
      stream: () => this.#openSocket(),
    });
    this.#watch(this.#pool);
    return this;
  }

  /** A connection may fail while nobody uses it; the pool drops it, and there is nothing else to do. */
  #watch(pool: Pool): void {
    pool.on("release", (connection) => this.#idle.add(connection));
    pool.on("acquire", (connection) => this.#idle.delete(connection));
    pool.on("connection", (connection) => {
      connection.on("error", (error) => {
        if (this.#idle.delete(connection)) this.#options.onIdleFailure?.(toDataError(error));
      });
      socketOf(connection).once("close", () => this.#idle.delete(connection));
    });
  }

  getConnection(done: (error: DataError | null, lease?: Lease) => void): void {
    this.acquire().then((lease) => done(null, lease), done);
  }

  /** Whoever acquires inside `run` does so in this way. */
  borrowing<T>(how: Borrowing, run: () => Promise<T>): Promise<T> {
    return this.#borrowing.run(how, run);
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
      await this.#whenEmpty(this.#sockets, deadline);
    });
    for (const lease of this.#leases) lease.destroy(closedError());
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * A connection to be given back with `release`.
   * @throws AcquireTimeoutError, OperationAbortedError, QueryError
   */
  async acquire(): Promise<Lease> {
    const { signal, spare } = this.#borrowing.getStore() ?? {};
    const { acquireTimeoutMs } = this.#options.config;
    const began = performance.now();
    const leave = await (spare ? this.#spare : this.limiter).acquire({ signal });
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
    try {
      const connection = await this.#checkOut();
      const lease: Lease = new Lease(connection, {
        statementTimeoutMs: this.#options.statementTimeoutMs,
        onEnd: () => this.#ended(lease, leave),
      });
      this.#leases.add(lease);
      if (!this.#ready.has(connection)) await this.#prepare(connection, lease);
      return lease;
    } catch (error) {
      leave();
      throw toDataError(error);
    }
  }

  #checkOut(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      if (!this.#pool) return reject(closedError());
      this.#pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
    });
  }

  async #prepare(connection: PoolConnection, lease: Lease): Promise<void> {
    try {
      await lease.prepareSession(this.#options.sessionSql);
      this.#ready.add(connection);
    } catch (error) {
      lease.destroy();
      throw error;
    }
  }

  #ended(lease: Lease, leave: () => void): void {
    this.#leases.delete(lease);
    leave();
    this.#changes.emit("change");
  }

  /** Ours, so that sockets still connecting can be closed too. */
  #openSocket(): Socket {
    const { address } = this.#options.config;
    const keptAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 };
    const socket = "socketPath" in address ? connect(address.socketPath) : connect({ ...address, ...keptAlive });
    // For an address without a name Node would check the certificate for "localhost": mysql2 passes on no host, only this.
    if ("host" in address) Object.assign(socket, { _host: address.host });
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#changes.emit("change");
    });
    return socket;
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

function refused(reason: "timeout" | "queue-full", { inUse, waiting, options }: Limiter): AcquireTimeoutError {
  const what = reason === "timeout" ? `No connection within ${options.timeoutMs} ms` : "Too many callers wait";
  return new AcquireTimeoutError(
    `${what}: ${inUse} of ${options.limit} connections are in use and ${waiting} of at most ${options.queueLimit} callers wait`,
  );
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

function closedError(): QueryError {
  return new QueryError(new DriverError("The connection pool is closed", { driverCode: "ERR_POOL_CLOSED" }));
}
