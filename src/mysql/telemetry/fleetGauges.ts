import type { DataSource } from "typeorm";
import { withDeadline } from "../../deadline.js";
import { DeadlineExceededError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Sample } from "../../telemetry/telemetry.js";
import { Throttle } from "../../telemetry/throttle.js";
import { withLease } from "../borrowing.js";
import { errorType } from "./errorType.js";
import { type FleetSamples, readFleet } from "./fleetSamples.js";
import { asOperation } from "./operations.js";

/** However often metrics are collected, the database is asked no more often than this, in milliseconds. */
const ASK_EVERY_MS = 15_000;
const TIMEOUT_MS = 2_000;
/** Why there is nothing to show is told at most this often, in milliseconds. */
const TELL_EVERY_MS = 600_000;

const NOTHING: FleetSamples = { containers: [], capacity: [] };

/** Shows the fleet of the database in the gauges, while somebody measures; after a failure nothing until it is asked again. */
export function showFleet(instruments: Instruments, dataSource: DataSource, logger: Logger): void {
  const throttle = new Throttle(TELL_EVERY_MS);
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer = Promise.resolve(NOTHING);
  const failed = (error: unknown) => {
    const code = errorType(error);
    const fields = { event: "mysql.fleet", code };
    if (throttle.allows(code)) logger.warn(fields, `The fleet's metrics are missing: ${(error as Error).message}`);
    return NOTHING;
  };
  const samples = async (which: keyof FleetSamples): Promise<readonly Sample[]> => {
    if (performance.now() - askedAt >= ASK_EVERY_MS) {
      askedAt = performance.now();
      answer = ask(dataSource).catch(failed);
    }
    return (await answer)[which];
  };
  instruments.gauge(METRICS.fleetContainers, () => samples("containers"));
  instruments.gauge(METRICS.fleetCapacity, () => samples("capacity"));
}

function ask(dataSource: DataSource): Promise<FleetSamples> {
  const overdue = () => new DeadlineExceededError(`The fleet could not be read within ${TIMEOUT_MS} ms`);
  return asOperation("fleet.gauges", () =>
    withDeadline({ timeoutMs: TIMEOUT_MS, overdue }, (deadline) =>
      withLease(dataSource, deadline, ({ lease }) => readFleet(lease)),
    ),
  );
}
