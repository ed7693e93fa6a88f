import { setTimeout as wait } from "node:timers/promises";

/** Waits `ms` milliseconds; false when `signal` fired before they were over. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await wait(ms, undefined, { ...(signal && { signal }) });
    return true;
  } catch {
    return false;
  }
}
