import type { DriverError } from "../errors.js";
import type { Logger } from "../telemetry/logger.js";
import type { Driver } from "./connection.js";
import { toDriverError } from "./driverErrors.js";

/** The same trouble is logged at most this often, in milliseconds; a client that reconnects meets it many times a second. */
const REPEAT_AFTER_MS = 10_000;

/** For how long a failure explains what happens to commands, in milliseconds. */
const EXPLAINS_FOR_MS = 10_000;

const lastErrors = new WeakMap<Driver, { readonly cause: DriverError; readonly at: number }>();

/** Why one of the driver's connections failed just now. */
export function lastConnectionError(driver: Driver): DriverError | undefined {
  const last = lastErrors.get(driver);
  return last && performance.now() - last.at < EXPLAINS_FOR_MS ? last.cause : undefined;
}

/** Logs what happens to a driver's connections, and remembers the last failure: ioredis tells callers only "closed". */
export class ConnectionLog {
  readonly #logger: Logger;
  /** Stands in each line, if the client has a name. */
  readonly #client: { readonly client?: string };
  readonly #logged = new Map<string, number>();

  constructor(logger: Logger, name: string | undefined) {
    this.#logger = logger;
    this.#client = name ? { client: name } : {};
  }

  watch(driver: Driver): void {
    const failed = (error: unknown, node?: string) => this.#failed(driver, error, node);
    driver.on("error", failed);
    driver.on("node error", failed);
    driver.on("ready", () => {
      lastErrors.delete(driver);
      this.#logger.info({ event: "redis.ready", ...this.#client }, "Redis is connected");
    });
    driver.on("connecting", () =>
      this.#logger.debug({ event: "redis.connecting", ...this.#client }, "Connecting to Redis"),
    );
    driver.on("reconnecting", () =>
      this.#warn("lost", { event: "redis.lost" }, "Redis is not connected; trying again"),
    );
  }

  #failed(driver: Driver, error: unknown, node?: string): void {
    const cause = toDriverError(error);
    // That a connection is closed follows on why it was: the reason is worth more.
    if (!cause.driverCode && lastConnectionError(driver)) return;
    lastErrors.set(driver, { cause, at: performance.now() });
    const at = typeof node === "string" ? { node } : {};
    this.#warn(cause.message, { event: "redis.error", code: cause.driverCode, ...at }, cause.message);
  }

  #warn(key: string, fields: object, message: string): void {
    const now = performance.now();
    if (now - (this.#logged.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    // Bounded: messages may differ without end.
    if (this.#logged.size >= 100) this.#logged.clear();
    this.#logged.set(key, now);
    this.#logger.warn({ ...fields, ...this.#client }, message);
  }
}
