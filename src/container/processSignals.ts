import type { Container } from "./container.js";

/**
 * Opt-in: stops the container when the process is asked to end (SIGTERM, SIGINT). When it has stopped and nobody else
 * listens for the signal, the signal is raised again, so that the process ends as it would have without this.
 * Returns a function that takes the handlers off.
 */
export function stopOnSignals(
  container: Container,
  signals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"],
): () => void {
  const remove = () => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    // Off at once: a second signal is the impatient operator's, and ends the process.
    remove();
    container.logger.info({ event: "stop.signal", signal }, `${signal} received; stopping`);
    void container.stop().finally(() => {
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  };
  for (const signal of signals) process.on(signal, onSignal);
  return remove;
}
