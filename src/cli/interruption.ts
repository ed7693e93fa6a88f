/** What ends a command from outside, and is its exit code then. */
export type StopSignal = "SIGINT" | "SIGTERM";

export interface Interruption {
  /** Fires at the first signal: go no further than the statement that runs. */
  readonly signal: AbortSignal;
  /** Fires at the second: end the statement too. */
  readonly interrupt: AbortSignal;
  /** Which signal came first. */
  readonly received: StopSignal | undefined;
  /** Takes the handlers off. */
  end(): void;
}

const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM"];

/** Listens for Ctrl-C and SIGTERM; `tell` says what happens now. A third one ends the process, as it would without this. */
export function listenForInterruption(tell: (line: string) => void = () => undefined): Interruption {
  const [stop, interrupt] = [new AbortController(), new AbortController()];
  let received: StopSignal | undefined;
  const end = () => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  };
  const onSignal = (signal: StopSignal) => {
    if (received === undefined) {
      received = signal;
      tell("Stopping after the statement that runs; once more (Ctrl-C) ends that too");
      stop.abort();
      return;
    }
    end();
    tell("Ending the statement that runs");
    interrupt.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: stop.signal,
    interrupt: interrupt.signal,
    get received() {
      return received;
    },
    end,
  };
}
