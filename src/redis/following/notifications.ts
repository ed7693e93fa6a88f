import type { Logger } from "../../telemetry/logger.js";
import { isServerError, toDriverError } from "../driverErrors.js";
import type { Ask } from "./room.js";

/** A key's events (`K`), stream commands among them (`t`, which `A` includes). */
const NEEDED = "Kt";
const SETTING = "notify-keyspace-events";
/** A server is asked at most this often, in milliseconds. */
const CHECK_EVERY_MS = 1_000;
/** So many entries found unannounced, with no announcement between them, show a server that announces nothing. */
const UNANNOUNCED_LIMIT = 3;

/** Whether one server announces what is added to its streams; switches it on where it may. */
export class Notifications {
  /** `unknown`: the server does not let itself be asked. */
  #state: "on" | "off" | "unknown" = "unknown";
  #checkedAt = Number.NEGATIVE_INFINITY;
  #unannounced = 0;
  #warned = false;

  constructor(
    private readonly address: string,
    private readonly enable: boolean,
    private readonly logger: Logger,
  ) {}

  /** Whether a stream that was not announced can be taken for unchanged. */
  get reliable(): boolean {
    return this.#state !== "off";
  }

  heard(): void {
    this.#unannounced = 0;
    if (this.#state === "off") this.#state = "unknown";
  }

  /** A sweep found an entry that was not announced (yet). Returns whether the server should be asked. */
  missed(): boolean {
    this.#unannounced += 1;
    if (performance.now() - this.#checkedAt < CHECK_EVERY_MS) return false;
    return this.#state !== "unknown" || this.#unannounced >= UNANNOUNCED_LIMIT;
  }

  /**
   * Asks the server, and switches notifications on if they are off. Resolves with whether entries may have gone unannounced until now.
   * @throws what `ask` rejects with when the connection fails
   */
  async check(ask: Ask): Promise<boolean> {
    this.#checkedAt = performance.now();
    const suspected = this.#unannounced >= UNANNOUNCED_LIMIT;
    try {
      const [, flags = ""] = (await ask("CONFIG", ["GET", SETTING])) as string[];
      if (isEnough(flags)) {
        this.#state = "on";
        return false;
      }
      if (!this.enable) return this.#off("REDIS_FOLLOW_ENABLE_NOTIFICATIONS is false");
      await ask("CONFIG", ["SET", SETTING, flags + NEEDED]);
      this.#state = "on";
      this.logger.info({ event: "redis.notifications", node: this.address }, `Keyspace notifications switched on`);
      return true;
    } catch (error) {
      if (!isServerError(error)) throw error;
      const why = toDriverError(error).message;
      // Without CONFIG GET they may well be on: only entries that nobody announced show the contrary.
      return this.#state === "unknown" && !suspected ? false : this.#off(why);
    }
  }

  #off(why: string): boolean {
    this.#state = "off";
    if (!this.#warned)
      this.logger.warn(
        { event: "redis.notifications", node: this.address },
        `Keyspace notifications are off, so signals arrive only with the sweep; set ${SETTING} to "${NEEDED}" on the server (${why})`,
      );
    this.#warned = true;
    return false;
  }
}

function isEnough(flags: string): boolean {
  return flags.includes("K") && (flags.includes("t") || flags.includes("A"));
}
