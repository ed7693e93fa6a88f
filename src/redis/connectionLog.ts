import type { DriverError } from "../errors.js";
import type { Instruments } from "../telemetry/instruments.js";
import type { Logger } from "../telemetry/logger.js";
import { METRICS } from "../telemetry/metrics.js";
import { outsideOfCallers } from "../telemetry/outsideOfCallers.js";
import { Throttle } from "../telemetry/throttle.js";
import type { Driver } from "./connection.js";
import { toDriverError } from "./driverErrors.js";
import { driverErrorType } from "./telemetry/errorTypes.js";

/** For how long a failure explains what happens to commands, in milliseconds. */
const EXPLAINS_FOR_MS = 10_000;

const lastErrors = new WeakMap<Driver, { readonly cause: DriverError; readonly at: number }>();

/** Why one of the driver's connections failed just now. */
export function lastConnectionError(driver: Driver): DriverError | undefined {
  const last = lastErrors.get(driver);
  return last && performance.now() - last.at < EXPLAINS_FOR_MS ? last.cause : undefined;
}

export interface ConnectionLogOptions {
  readonly logger: Logger;
  readonly instruments: Instruments;
}

/** Logs and counts what happens to a driver's connections, and remembers the last failure: ioredis tells callers only "closed". */
export class ConnectionLog {
  readonly #logger: Logger;
  /** Stands in each line, if the client has a name. */
  readonly #client: { readonly client?: string };
  readonly #warnings = new Throttle();
  /** Whether it is still to be told that it is connected: at the start, and after each trouble that was told. */
  #awaited = true;
  readonly #instruments: Instruments;

  constructor({ logger, instruments }: ConnectionLogOptions, name: string | undefined) {
    this.#logger = logger;
    this.#instruments = instruments;
    this.#client = name ? { client: name } : {};
  }

  watch(driver: Driver): void {
    // In nobody's name: what happens to a connection is told in the context of whoever's command met it.
    const failed = (error: unknown, node?: string) => outsideOfCallers(() => this.#failed(driver, error, node));
    driver.on("error", failed);
    driver.on("node error", failed);
    driver.on("ready", () => {
      lastErrors.delete(driver);
      this.#logger[this.#awaited ? "info" : "debug"]({ event: "redis.ready", ...this.#client }, "Redis is connected");
      this.#awaited = false;
    });
    driver.on("connecting", () =>
      this.#logger.debug({ event: "redis.connecting", ...this.#client }, "Connecting to Redis"),
    );
    driver.on("reconnecting", () => {
      // The server has closed it without a word; otherwise its error was counted.
      if (!lastConnectionError(driver)) this.#count("closed");
      this.#warn("lost", { event: "redis.lost" }, "Redis is not connected; trying again");
    });
  }

  #failed(driver: Driver, error: unknown, node?: string): void {
    const cause = toDriverError(error);
    // That a connection is closed follows on why it was: the reason is worth more.
    if (!cause.driverCode && lastConnectionError(driver)) return;
    lastErrors.set(driver, { cause, at: performance.now() });
    this.#count(driverErrorType(cause));
    const at = typeof node === "string" ? { node } : {};
    this.#warn(cause.message, { event: "redis.error", code: cause.driverCode, ...at }, cause.message);
  }

  #count(kind: string): void {
    this.#instruments.count(METRICS.connectionErrors, { "db.system.name": "redis", "error.type": kind });
  }

  #warn(key: string, fields: object, message: string): void {
    if (!this.#warnings.allows(key)) return;
    this.#awaited = true;
    this.#logger.warn({ ...fields, ...this.#client }, message);
  }
}
