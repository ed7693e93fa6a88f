import { type DataError, OperationAbortedError } from "./errors.js";

export interface DeadlineOptions {
  readonly timeoutMs: number;
  /** Ends the wait early. */
  readonly signal?: AbortSignal | undefined;
  /** Makes the error for a wait that took too long. */
  readonly overdue: () => DataError;
}

/** One point in time that many waits share. `dispose` it, or its timer keeps the process alive until then. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #over: Promise<never>;
  readonly #end: number;
  readonly #overdue: () => DataError;
  #rejectOver!: (error: DataError) => void;
  #error: DataError | undefined;

  constructor({ timeoutMs, signal, overdue }: DeadlineOptions) {
    this.#over = new Promise((_, reject) => {
      this.#rejectOver = reject;
    });
    // Nobody may be racing when it ends.
    this.#over.catch(() => undefined);
    this.#end = performance.now() + timeoutMs;
    this.#overdue = overdue;
    this.#timer = setTimeout(() => this.#finish(overdue()), timeoutMs);
    this.#callerSignal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  /** Fires when it is over, however it ended. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it is over; undefined while it is not. */
  get error(): DataError | undefined {
    return this.#error;
  }

  get remainingMs(): number {
    // A timer may fire a fraction of a millisecond early.
    return this.#error ? 0 : Math.max(0, this.#end - performance.now());
  }

  /**
   * The promise's outcome, or the deadline's error if that comes first.
   * The promise itself goes on; its later rejection is taken care of.
   */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([this.#over, promise]);
  }

  /** Ends it also when its time has passed while the process was too busy to notice. */
  throwIfOver(): void {
    if (this.remainingMs === 0) this.#finish(this.#overdue());
    if (this.#error) throw this.#error;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#callerSignal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#finish(new OperationAbortedError(abortText(this.#callerSignal?.reason)));

  #finish(error: DataError): void {
    if (this.#error) return;
    this.#error = error;
    this.dispose();
    // Before the signal, so that racing callers see this error and not what its listeners cause.
    this.#rejectOver(error);
    this.#controller.abort(error);
  }
}

/** Runs `run` under a deadline of its own. */
export async function withDeadline<T>(options: DeadlineOptions, run: (deadline: Deadline) => Promise<T>): Promise<T> {
  const deadline = new Deadline(options);
  try {
    return await run(deadline);
  } finally {
    deadline.dispose();
  }
}

/** `abort()` without a reason makes an AbortError, which tells nothing. */
function abortText(reason: unknown): string {
  const told = reason instanceof Error && reason.name !== "AbortError";
  return told ? `The caller's signal fired: ${reason.message}` : "The caller's signal fired";
}
