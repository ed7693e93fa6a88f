const NS_PER_MS = 1_000_000n;
let last = 0n;

/**
 * The sender's id followed by Unix nanoseconds, as running services write it. Unique within the process even when the clock stands
 * still or goes back; the digits below the millisecond come from the monotonic clock, so that two processes hardly ever agree.
 */
export function newRequestId(senderId: string): string {
  const now = BigInt(Date.now()) * NS_PER_MS + (process.hrtime.bigint() % NS_PER_MS);
  last = now > last ? now : last + 1n;
  return `${senderId}${last}`;
}
