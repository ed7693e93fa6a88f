import { setMaxListeners } from "node:events";

/** Runs `run` with a signal that any number of commands may listen to at once; of the caller's own, only one listener is taken. */
export async function withSharedSignal<T>(
  signal: AbortSignal | undefined,
  run: (shared: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (!signal) return run(undefined);
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const onAbort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await run(controller.signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
