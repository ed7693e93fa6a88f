import {
  DeadlineExceededError,
  type DriverError,
  NotStoredError,
  OperationAbortedError,
  PublishUnknownError,
} from "../errors.js";

/** Why a caller's wait ended before its command was answered. */
export type Interruption = "deadline" | "aborted" | "closing";

export const REASONS: Record<Interruption, string> = {
  deadline: "its deadline passed",
  aborted: "its caller aborted it",
  closing: "the Redis client was closed",
};

/** For a write that was sent and not answered. */
export function unknownError(command: string, why: string, cause: DriverError | undefined): PublishUnknownError {
  return new PublishUnknownError(
    `${command} was sent and its reply lost (${why}): it may or may not have been executed; look before you repeat`,
    { cause },
  );
}

/** For a command that was not sent, or a read that was not answered. `cause` is the last attempt's failure. */
export function interruptionError(
  command: string,
  interruption: Interruption,
  kind: "read" | "write" | "idempotent",
  cause: DriverError | undefined,
): Error {
  const why = REASONS[interruption] + (cause ? ` (${cause.message})` : "");
  if (interruption === "aborted")
    return new OperationAbortedError(`${command} ended without a reply: ${why}`, { cause });
  if (kind !== "read")
    return new NotStoredError(`${command} was not executed: ${why}; it is safe to repeat`, { cause });
  if (interruption === "closing") return new OperationAbortedError(`${command} was not answered: ${why}`, { cause });
  return new DeadlineExceededError(`${command} was not answered: ${why}`, { cause });
}
