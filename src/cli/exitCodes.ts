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
  RedisPingError,
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

export type CommandName = "migrate" | "doctor" | "watch" | "fleet";

export interface ExitCode {
  readonly codes: readonly number[];
  readonly meaning: string;
  /** What it is of each command that may end with it. */
  readonly of: Partial<Record<CommandName, string>>;
}

const MISUSE = "wrong usage or configuration; nothing was sent";
const STOPPED = "stopped by Ctrl-C, or (143) by SIGTERM";

/** The one table of them: what --help shows, and docs/operations.md. */
export const EXIT_CODES: readonly ExitCode[] = [
  {
    codes: [EXIT.done],
    meaning: "done",
    of: {
      migrate: "done, or nothing to do",
      doctor: "all is well, or was mended",
      watch: "whoever read the output has gone",
      fleet: "done",
    },
  },
  {
    codes: [EXIT.difference],
    meaning: "looked at, and not as it should be",
    of: {
      migrate: "check: the schema differs from what this version expects",
      doctor: "there are warnings: what works today and will not always",
    },
  },
  {
    codes: [EXIT.usage],
    meaning: MISUSE,
    of: {
      migrate: MISUSE,
      doctor: "wrong usage or a .env file that cannot be read; nothing was looked at",
      watch: MISUSE,
      fleet: MISUSE,
    },
  },
  {
    codes: [EXIT.refused],
    meaning: "refused, nothing changed",
    of: {
      migrate:
        "refused, nothing changed: the history does not fit, tables or rows stand in the way, or rows would be lost",
    },
  },
  {
    codes: [EXIT.blocked],
    meaning: "kept waiting for too long",
    of: { migrate: "others held the migration lock, or a table, for too long" },
  },
  {
    codes: [EXIT.unreachable],
    meaning: "the server cannot be used",
    of: {
      migrate: "MySQL cannot be reached, does not let the user in, or was lost",
      watch: "Redis cannot be reached or does not let the user in",
      fleet: "MySQL cannot be reached or does not let the user in",
    },
  },
  {
    codes: [EXIT.failed],
    meaning: "failed, or the output could not be written",
    of: {
      migrate: "a statement failed",
      doctor: "something is wrong that keeps the data layer, or a part of it, from working",
      watch: "Redis refused to have the meetings read",
      fleet: "a statement failed, such as on a database that is not migrated",
    },
  },
  {
    codes: [EXIT.SIGINT, EXIT.SIGTERM],
    meaning: STOPPED,
    of: { migrate: `${STOPPED}; what was done stays`, doctor: STOPPED, watch: STOPPED, fleet: STOPPED },
  },
];

/** A command's part of the table, a line each. */
export function exitCodesHelp(command: CommandName): string {
  const lines = EXIT_CODES.flatMap(({ codes: [code], of }) => {
    const meaning = of[command];
    return meaning === undefined ? [] : [`  ${String(code).padEnd(3)}  ${meaning}`];
  });
  return ["Exit codes:", ...lines].join("\n");
}

const REFUSALS = [MigrationHistoryError, MigrationTableError, MigrationSettingError, AdoptionError, DataLossError];
const BLOCKS = [MigrationLockError, MigrationBlockedError];
const LOSSES = [MysqlPingError, RedisPingError, DeadlineExceededError, AcquireTimeoutError];
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
