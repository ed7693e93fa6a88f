import { InvalidInputError } from "../../../errors.js";
import { checkId } from "../../../ids.js";
import { checkCallOptions, checkTimeout } from "../../input.js";
import type { SignalEvent, UnrecognisedEvent } from "../events.js";
import type { From } from "../subscribeInput.js";

export interface ConsumeOptions {
  /** The group's name, 1 to 64 characters; each entry is given to one of its consumers. It is created where it does not exist. */
  readonly group: string;
  /**
   * This consumer's name, 1 to 64 characters; no other live process may use it in this group. What a consumer of this name has left
   * unfinished comes first when it is back.
   */
  readonly consumer: string;
  readonly meetingIds: string | readonly string[];
  /**
   * Its promise's success acknowledges the entry. One entry of a meeting at a time, in order; when it fails the entry is given again
   * after a pause, before those behind it, until `maxDeliveries`.
   */
  readonly handler: (event: SignalEvent | UnrecognisedEvent, delivery: Delivery) => unknown;
  /** Where a group that does not exist begins, for all meetings or by meeting. Default `start`: what is there is work to do. */
  readonly from?: From | Readonly<Record<string, From>>;
  /** How many meetings are handled side by side, 1 to 1,000. Default 16. */
  readonly concurrency?: number;
  /** An entry that was given to a consumer so long ago and is not acknowledged goes to another. 100 ms to a day; default 60,000. */
  readonly minIdleMs?: number;
  /** Limit on one call of the handler; then it counts as failed. At most, and by default, half of `minIdleMs`. */
  readonly handlerTimeoutMs?: number;
  /** So often an entry is given to consumers, restarts and take-overs counted; then it is a dead letter. 1 to 1,000; default 5. */
  readonly maxDeliveries?: number;
  /** Limit on `consume` and on each `add`, in milliseconds. Default the pool timeout. */
  readonly timeoutMs?: number;
  /** How long `close()` waits for handlers that run; then their signals fire. Default 5,000 ms. */
  readonly closeTimeoutMs?: number;
  /** Ends it, as `close()` does. */
  readonly signal?: AbortSignal;
}

export interface Delivery {
  /** How often the entry was given to a consumer, this time included. */
  readonly deliveries: number;
  /** Fires at `handlerTimeoutMs`, and when `close()` has waited long enough: what the handler does then no longer counts. */
  readonly signal: AbortSignal;
}

/** The options with their defaults. */
export type ConsumeSettings = Omit<ConsumeOptions, "from" | "timeoutMs" | "signal" | "meetingIds"> &
  Required<Pick<ConsumeOptions, "concurrency" | "minIdleMs" | "handlerTimeoutMs" | "maxDeliveries" | "closeTimeoutMs">>;

const MIN_IDLE_MS = 100;
const MAX_IDLE_MS = 86_400_000;

/** @throws InvalidInputError naming the option that is out of its bounds */
export function checkConsumeOptions(options: ConsumeOptions): ConsumeSettings {
  checkCallOptions(options);
  const { group, consumer, handler, concurrency = 16, minIdleMs = 60_000, maxDeliveries = 5 } = options;
  const { handlerTimeoutMs = minIdleMs / 2, closeTimeoutMs = 5_000 } = options;
  checkId("options.group", group);
  checkId("options.consumer", consumer);
  if (typeof handler !== "function") throw new InvalidInputError("options.handler", "must be a function");
  checkRange("options.concurrency", concurrency, 1, 1_000);
  checkRange("options.minIdleMs", minIdleMs, MIN_IDLE_MS, MAX_IDLE_MS);
  checkRange("options.maxDeliveries", maxDeliveries, 1, 1_000);
  checkTimeout("options.handlerTimeoutMs", handlerTimeoutMs);
  if (handlerTimeoutMs > minIdleMs / 2)
    throw new InvalidInputError("options.handlerTimeoutMs", "must be at most half of options.minIdleMs");
  checkTimeout("options.closeTimeoutMs", closeTimeoutMs, "from 0");
  return { group, consumer, handler, concurrency, minIdleMs, handlerTimeoutMs, maxDeliveries, closeTimeoutMs };
}

function checkRange(argument: string, value: unknown, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
    throw new InvalidInputError(argument, `must be a whole number from ${min} to ${max}`);
}
