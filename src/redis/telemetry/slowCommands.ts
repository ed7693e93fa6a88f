import { inLogFields, type LogFields } from "../../telemetry/logFields.js";
import type { SlowLines } from "../../telemetry/slowLines.js";
import { nameOf } from "./commandMetrics.js";

/** A command, or several that are sent together. */
export interface UnderWay {
  readonly command: string;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** Of who sent it: whoever makes place for it, or notices its silence, calls back in another context. */
  readonly logFields: LogFields | undefined;
}

/** The oldest commands are looked at so often in the time that counts as slow. */
const LOOKS = 4;

/**
 * Logs the commands that took long, waits for a place and repetitions included. Which ones may become slow is found by a look at the
 * oldest now and then, in good time: to read the clock for each command would cost all of them.
 */
export class SlowCommands {
  readonly #old = new Set<UnderWay>();
  #looking: NodeJS.Timeout | undefined;

  /** `underWay`: in the order in which they began. */
  constructor(
    private readonly underWay: ReadonlySet<UnderWay>,
    private readonly lines: SlowLines,
  ) {}

  start(): void {
    const { thresholdMs } = this.lines;
    if (thresholdMs === Number.POSITIVE_INFINITY) return;
    this.#looking ??= setInterval(() => this.#look(), thresholdMs / LOOKS).unref();
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  over(operation: UnderWay, error: Error | undefined): void {
    if (this.#old.size === 0 || !this.#old.delete(operation)) return;
    const ms = performance.now() - operation.startedAt;
    if (ms < this.lines.thresholdMs) return;
    inLogFields(operation.logFields, () => this.lines.tell(nameOf(operation.command), ms, error));
  }

  #look(): void {
    // Whatever can be slow before the next look.
    const before = performance.now() - this.lines.thresholdMs * (1 - 1 / LOOKS);
    for (const operation of this.underWay) {
      if (operation.startedAt > before) return;
      this.#old.add(operation);
    }
  }
}
