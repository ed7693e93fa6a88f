import type { Limiter } from "../limiter.js";

export interface SendOptions {
  /**
   * A `write` is never repeated once it was sent. `read` stands for everything that may be executed twice; `idempotent` for a write
   * of which the server itself makes sure that it has effect once, so that it is repeated until the deadline.
   */
  readonly kind: "read" | "write" | "idempotent";
  /**
   * Bounds the whole call, in milliseconds. By default a command waits up to the pool timeout before it is sent
   * and up to the read or write timeout after that.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sent in its place from then on, once a server has answered that it does not know the script. */
  readonly withScript?: {
    readonly command: string;
    readonly args: readonly (string | number)[];
    readonly text?: string;
  };
  /** The whole command as it goes over the wire, where that is at hand; `args` then needs only its keys. */
  readonly text?: string | undefined;
  /** Goes out right behind the command, each time it is sent, and shares its place. */
  readonly follower?: Follower | undefined;
  /** Whether its place is taken already, with its weight. */
  readonly placed?: boolean;
  /** Bounds this command instead of the client's own limiter. */
  readonly limiter?: Limiter;
}

/** A command that may be executed twice, and whose outcome its leader's caller does not wait for. */
export interface Follower {
  readonly command: string;
  readonly args: readonly (string | number)[];
  /** Called once, after the last attempt, with its reply or with undefined for any other outcome; not if none was made. */
  readonly settled: (reply: unknown) => void;
}
