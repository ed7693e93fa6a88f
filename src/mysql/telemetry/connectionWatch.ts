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
  /** Whether the last one opened, and none was lost since. */
  #up = false;
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
    this.logger[this.#up ? "debug" : "info"](fields, "MySQL is connected");
    this.#up = true;
  }

  /** No connection could be made. */
  failed(error: DataError): void {
    this.#failed += 1;
    const code = this.#count(error);
    if (!this.#throttle.allows(`failed ${code}`)) return;
    const fields = { event: "mysql.error", server: this.#server, code };
    this.logger.warn(fields, `MySQL cannot be connected to: ${error.message}`);
  }

  /** A connection broke; if it was in use, whoever used it is told. */
  lost(error: DataError, { idle }: { readonly idle: boolean }): void {
    this.#lost += 1;
    const code = this.#count(error);
    if (!idle) this.logger.debug({ event: "mysql.lost", code }, `A connection in use failed: ${error.message}`);
    else if (this.#throttle.allows("idle"))
      this.logger.warn({ event: "mysql.idle", code }, `An idle connection failed: ${error.message}`);
  }

  #count(error: DataError): string {
    this.#up = false;
    const type = errorType(error);
    this.instruments.count(METRICS.connectionErrors, { "db.system.name": "mysql", "error.type": type });
    return type;
  }
}
