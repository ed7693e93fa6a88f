import type { Logger } from "../telemetry/logger.js";

/** Who is told, in words for people. */
export interface NoteTaker {
  lost(message: string): void;
  back(message: string): void;
  warn(message: string): void;
}

const UNANNOUNCED =
  "Redis does not announce new entries (its notify-keyspace-events lacks Kt), so signals may come a second late";
/** So many different warnings are told, and of one loss so many reasons. */
const MAX_WARNINGS = 100;

/** Takes what Redis' connections log and tells what an operator needs of it: each thing once, not once for each connection. */
export class ConnectionNotes implements Logger {
  readonly #taker: NoteTaker;
  readonly #warned = new Set<string>();
  #state: "starting" | "connected" | "lost" = "starting";
  /** Of this loss; behind a proxy that accepts and hangs up they take turns. */
  readonly #reasons = new Set<string>();

  constructor(taker: NoteTaker) {
    this.#taker = taker;
  }

  /** From now on a loss is told; before, it is the start that fails. */
  begin(): void {
    this.#state = "connected";
  }

  debug(): void {}

  info(fields: object): void {
    if (eventOf(fields) !== "redis.ready" || this.#state !== "lost") return;
    this.#state = "connected";
    this.#taker.back("Redis is connected again");
  }

  warn(fields: object, message: string): void {
    const event = eventOf(fields);
    if (event === "redis.lost") this.#lost();
    else if (event === "redis.error") this.#failed(message);
    else this.#warn(event === "redis.notifications" ? UNANNOUNCED : message);
  }

  error(fields: object, message: string): void {
    this.warn(fields, message);
  }

  #lost(): void {
    if (this.#state !== "connected") return;
    this.#state = "lost";
    this.#reasons.clear();
    this.#taker.lost("Redis is not connected; trying again. What is published meanwhile follows when it is back");
  }

  #failed(reason: string): void {
    if (this.#state !== "lost" || this.#reasons.has(reason) || this.#reasons.size >= MAX_WARNINGS) return;
    this.#reasons.add(reason);
    this.#taker.lost(`Redis is still not connected: ${reason}`);
  }

  #warn(message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(message);
    this.#taker.warn(message);
  }
}

function eventOf(fields: object): string | undefined {
  return (fields as { readonly event?: string }).event;
}
