/** Counts a call's time down from now on: tells what is left of it, 1 ms at least, for the options of a step. Nothing, where it has no bound. */
export function countDown(timeoutMs: number | undefined): () => { readonly timeoutMs?: number } {
  if (timeoutMs === undefined) return () => ({});
  const end = performance.now() + timeoutMs;
  return () => ({ timeoutMs: Math.max(1, end - performance.now()) });
}
