import type { Limiter } from "../../limiter.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Following } from "../following/following.js";

/** Shows what one client holds whenever metrics are collected, without asking a server, until the function returned is called. */
export function showGauges(instruments: Instruments, limiter: Limiter, following: Following): () => void {
  const removals = [
    instruments.gauge(METRICS.redisInFlight, () => [{ value: limiter.inUse }]),
    instruments.gauge(METRICS.redisWaiting, () => [{ value: limiter.waiting }]),
    instruments.gauge(METRICS.redisQueuedBytes, () => [{ value: limiter.weight }]),
    instruments.gauge(METRICS.roomsFollowed, () => [{ value: following.roomCount }]),
    instruments.gauge(METRICS.lagEntries, () => {
      const { waiting, pending } = following.backlog();
      return [{ value: waiting + pending }];
    }),
    instruments.gauge(METRICS.lagSeconds, () => [{ value: ageOf(following.backlog().oldest) }]),
    instruments.gauge(METRICS.signalsPending, () => [{ value: following.backlog().pending }]),
  ];
  return () => {
    for (const remove of removals) remove();
  };
}

/** In seconds. */
function ageOf(addedAt: number | undefined): number {
  return addedAt === undefined ? 0 : Math.max(0, Date.now() - addedAt) / 1_000;
}
