import { AcquireTimeoutError, DriverError, QueryError } from "../errors.js";
import type { Limiter } from "../limiter.js";

/** Of a caller that waited too long for a connection, or with too many others. */
export function refused(reason: "timeout" | "queue-full", { inUse, waiting, options }: Limiter): AcquireTimeoutError {
  const what = reason === "timeout" ? `No connection within ${options.timeoutMs} ms` : "Too many callers wait";
  return new AcquireTimeoutError(
    `${what}: ${inUse} of ${options.limit} connections are in use and ${waiting} of at most ${options.queueLimit} callers wait`,
  );
}

export function closedError(): QueryError {
  return new QueryError(new DriverError("The connection pool is closed", { driverCode: "ERR_POOL_CLOSED" }));
}
