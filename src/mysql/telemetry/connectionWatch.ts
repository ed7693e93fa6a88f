import type { MysqlConfig } from "../../config/types.js";
import type { DataError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import { METRICS } from "../../telemetry/metrics.js";
import { Throttle } from "../../telemetry/throttle.js";
import { errorType } from "./errorType.js";
import { POOL } from "./poolName.js";

/** Tells and counts what happens to the connections of a pool. */
export class ConnectionWatch {
  readonly #throttle = new Throttle();
  /** Whether it is still to be told that there is a connection: at the start, and after each trouble that was told. */
  #awaited = true;
  #opened = 0;
  #failed = 0;
  #lost = 0;
  /** `host:port`, or a socket's path. */
  readonly #server: string;

  constructor(
    private readonly instruments: Instruments,
    private readonly logger: Logger,
    { address }: MysqlConfig,
  ) {
    this.#server = "socketPath" in address ? address.socketPath : `${address.host}:${address.port}`;
  }

  get counts(): { readonly opened: number; readonly failed: number; readonly lost: number } {
    return { opened: this.#opened, failed: this.#failed, lost: this.#lost };
  }

  opening(): void {
    this.logger.debug({ event: "mysql.connecting", server: this.#server }, "Connecting to MySQL");
  }

  opened(ms: number): void {
    this.#opened += 1;
    this.instruments.record(METRICS.connectionCreate, ms / 1_000, POOL);
    const fields = { event: "mysql.connected", server: this.#server, ms: Math.round(ms) };
    this.logger[this.#awaited ? "info" : "debug"](fields, "MySQL is connected");
    this.#awaited = false;
  }

  /** No connection could be made. */
  failed(error: DataError): void {
    this.#failed += 1;
    const code = this.#count(error);
    this.#warn(
      `failed ${code}`,
      { event: "mysql.error", server: this.#server, code },
      `MySQL cannot be connected to: ${error.message}`,
    );
  }

  /** A connection broke; if it was in use, whoever used it is told. */
  lost(error: DataError, { idle }: { readonly idle: boolean }): void {
    this.#lost += 1;
    const code = this.#count(error);
    if (!idle) this.logger.debug({ event: "mysql.lost", code }, `A connection in use failed: ${error.message}`);
    else this.#warn("idle", { event: "mysql.idle", code }, `An idle connection failed: ${error.message}`);
  }

  #warn(key: string, fields: object, message: string): void {
    if (!this.#throttle.allows(key)) return;
    this.#awaited = true;
    this.logger.warn(fields, message);
  }

  #count(error: DataError): string {
    const type = errorType(error);
    this.instruments.count(METRICS.connectionErrors, { "db.system.name": "mysql", "error.type": type });
    return type;
  }
}
