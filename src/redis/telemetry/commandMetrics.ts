import type { Command } from "ioredis";
import { BackpressureError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Attributes, Recorder } from "../../telemetry/telemetry.js";
import { toDriverError } from "../driverErrors.js";
import { errorType } from "./errorTypes.js";

/** Commands that have a name of their own in metrics; all others are `other`. */
const KNOWN = new Set(
  [
    "XADD XRANGE XREVRANGE XLEN XREAD XREADGROUP XACK XPENDING XAUTOCLAIM XCLAIM XGROUP XINFO XTRIM XDEL",
    "EVAL EVALSHA EXISTS DEL UNLINK EXPIRE PEXPIRE TTL PTTL TYPE GET SET HGET HSET HLEN",
    "PUBLISH SPUBLISH SUBSCRIBE SSUBSCRIBE PING INFO CLUSTER CONFIG",
  ].flatMap((names) => names.split(" ")),
);
/** Answers that send a command elsewhere, or bid it wait until the cluster has sorted itself out. */
const REDIRECTION = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /;
const POOL: Attributes = { "db.client.connection.pool.name": "redis" };

/** What the commands of one client are measured by. */
export class CommandMetrics {
  /** Of commands that succeeded, by name. */
  readonly #durations = new Map<string, Recorder>();

  constructor(private readonly instruments: Instruments) {
    // From the start, so that the first ones show as an increase.
    instruments.count(METRICS.connectionTimeouts, POOL, 0);
  }

  /** A command was answered or failed. `startedAt` is by `performance.now()`. */
  over(command: string, startedAt: number, error?: Error): void {
    const seconds = (performance.now() - startedAt) / 1_000;
    if (!error) (this.#durations.get(command) ?? this.#newDuration(command))(seconds);
    else this.#failed(command, seconds, error);
  }

  #failed(command: string, seconds: number, error: Error): void {
    const attributes = { ...attributesOf(command), "error.type": errorType(error) };
    this.instruments.record(METRICS.operationDuration, seconds, attributes);
    if (error instanceof BackpressureError) this.instruments.count(METRICS.connectionTimeouts, POOL);
  }

  /** Times a command that was sent just now and is no operation of its own. */
  time({ name, promise }: Pick<Command, "name" | "promise">): void {
    const startedAt = performance.now();
    promise.then(
      () => this.over(name, startedAt),
      (error: unknown) => this.over(name, startedAt, toDriverError(error)),
    );
  }

  /** A server has refused a command with this error; it may be redirected. */
  refused(error: Error): void {
    const [, kind] = REDIRECTION.exec(error.message) ?? [];
    if (kind) this.instruments.count(METRICS.redisRedirections, { kind });
  }

  #newDuration(command: string): Recorder {
    const duration = this.instruments.recorder(METRICS.operationDuration, attributesOf(command));
    // Others may have any name, and there may be any number of them.
    if (KNOWN.has(command)) this.#durations.set(command, duration);
    return duration;
  }
}

function attributesOf(command: string): Attributes {
  return { "db.system.name": "redis", "db.operation.name": nameOf(command) };
}

/** Its name, of a bounded set. */
export function nameOf(command: string): string {
  if (KNOWN.has(command)) return command;
  const name = command.toUpperCase();
  return KNOWN.has(name) ? name : "other";
}
