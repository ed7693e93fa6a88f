import {
  AcquireTimeoutError,
  AdoptionError,
  ConfigError,
  CredentialError,
  DataLossError,
  DeadlineExceededError,
  InvalidInputError,
  MigrationBlockedError,
  MigrationHistoryError,
  MigrationLockError,
  MigrationSettingError,
  MigrationTableError,
  MysqlPingError,
  QueryError,
} from "../errors.js";

/** What the process says with its exit code; part of the public interface. */
export const EXIT = {
  done: 0,
  difference: 1,
  usage: 2,
  refused: 3,
  blocked: 4,
  unreachable: 5,
  failed: 6,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0    done, or nothing to do
  1    check: the schema differs from what this version expects
  2    wrong usage or configuration; nothing was sent
  3    refused, nothing changed: the history does not fit, tables or rows stand in the way, or rows would be lost
  4    others held the migration lock, or a table, for too long
  5    the server cannot be reached, does not let the user in, or was lost
  6    a statement failed
  130  stopped by Ctrl-C (143: by SIGTERM); what was done stays
After 4, 5, 6 and 130 run the same command again: it goes on from where it was. But down counts anew each time: see in
status how many are left to take back.`;

export const DOCTOR_EXIT_CODES_HELP = `
Exit codes:
  0    all is well, or was mended
  1    there are warnings: what works today and will not always
  2    wrong usage or a .env file that cannot be read; nothing was looked at
  6    something is wrong that keeps the data layer, or a part of it, from working`;

const REFUSALS = [MigrationHistoryError, MigrationTableError, MigrationSettingError, AdoptionError, DataLossError];
const BLOCKS = [MigrationLockError, MigrationBlockedError];
const LOSSES = [MysqlPingError, DeadlineExceededError, AcquireTimeoutError];
const MISUSES = [ConfigError, CredentialError, InvalidInputError];

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  const isOneOf = (classes: readonly (abstract new (...args: never[]) => Error)[]) =>
    classes.some((each) => error instanceof each);
  if (isOneOf(MISUSES)) return EXIT.usage;
  if (isOneOf(REFUSALS)) return EXIT.refused;
  if (isOneOf(BLOCKS)) return EXIT.blocked;
  if (isOneOf(LOSSES) || isLost(error)) return EXIT.unreachable;
  return EXIT.failed;
}

/** A connection that breaks has no error number, or the one of a server that shuts down (1053) or kills it (1927, 3169). */
function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof QueryError)
    return error.errno === undefined || error.errno < 0 || [1053, 1927, 3169].includes(error.errno);
  return isLost(error.cause);
}
