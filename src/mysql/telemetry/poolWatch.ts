import { AcquireTimeoutError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Recorder } from "../../telemetry/telemetry.js";
import { Throttle } from "../../telemetry/throttle.js";
import type { PoolState } from "../pool.js";
import { POOL } from "./poolName.js";

/** How often the pool's use is told at debug, in milliseconds. */
const TELL_EVERY_MS = 60_000;

/** Tells and measures how a pool is used. */
export class PoolWatch {
  readonly #throttle = new Throttle();
  readonly #waitTime: Recorder;
  readonly #useTime: Recorder;
  #borrowed = 0;
  #refused = 0;
  /** Since when callers wait, if that was told. */
  #toldWaitingAt: number | undefined;
  #hide: (() => void)[] = [];

  constructor(
    private readonly instruments: Instruments,
    private readonly logger: Logger,
    private readonly use: () => PoolState,
  ) {
    this.#waitTime = instruments.recorder(METRICS.connectionWait, POOL);
    this.#useTime = instruments.recorder(METRICS.connectionUse, POOL);
  }

  /** Shows the pool in the gauges until `end`. */
  begin(): void {
    if (this.#hide.length > 0) return;
    // From the start, so that the first ones show as an increase.
    this.instruments.count(METRICS.connectionTimeouts, POOL, 0);
    const telling = setInterval(() => this.#tellUse(), TELL_EVERY_MS).unref();
    this.#hide = [
      () => clearInterval(telling),
      this.instruments.gauge(METRICS.connections, () => {
        const { used, idle } = this.use();
        return [
          { value: used, attributes: { ...POOL, state: "used" } },
          { value: idle, attributes: { ...POOL, state: "idle" } },
        ];
      }),
      this.instruments.gauge(METRICS.connectionsMax, () => [{ value: this.use().limit, attributes: POOL }]),
      this.instruments.gauge(METRICS.connectionsWaiting, () => [{ value: this.use().waiting, attributes: POOL }]),
    ];
  }

  /** `counts`: what else is to be said of its time. */
  end(counts: object): void {
    if (this.#hide.length === 0) return;
    for (const hide of this.#hide.splice(0)) hide();
    const fields = { event: "mysql.pool", borrowed: this.#borrowed, refused: this.#refused, ...counts };
    this.logger.info(fields, "The MySQL pool is closed");
  }

  /** A caller found every connection in use. */
  waits(): void {
    if (this.#toldWaitingAt !== undefined || !this.#throttle.allows("waiting")) return;
    this.#toldWaitingAt = performance.now();
    const use = this.use();
    this.logger.info(
      { event: "mysql.pool.saturated", ...use },
      `Callers wait: all ${use.limit} connections are in use`,
    );
  }

  borrowed(waitedMs: number): void {
    this.#borrowed += 1;
    this.#waitTime(waitedMs / 1_000);
  }

  /** A caller got no connection. */
  refused(error: unknown): void {
    if (!(error instanceof AcquireTimeoutError)) return;
    this.#refused += 1;
    this.instruments.count(METRICS.connectionTimeouts, POOL);
    if (this.#throttle.allows("refused"))
      this.logger.warn({ event: "mysql.pool.refused", ...this.use() }, error.message);
  }

  returned(borrowedAt: number): void {
    if (this.instruments.measuring) this.#useTime((performance.now() - borrowedAt) / 1_000);
    if (this.#toldWaitingAt === undefined || this.use().waiting > 0) return;
    const fields = { event: "mysql.pool.relieved", ms: Math.round(performance.now() - this.#toldWaitingAt) };
    this.#toldWaitingAt = undefined;
    this.logger.info(fields, "Nobody waits for a connection any more");
  }

  #tellUse(): void {
    this.logger.debug({ event: "mysql.pool", ...this.use() }, "The MySQL pool's use");
  }
}
