/**
 * The error tree. Everything this package throws is a `DataError` with a stable `code`;
 * match on `code` or `instanceof`, never on the message. Messages are one line and hold no secret and no SQL literal.
 * `ErrConfigNil`, `ErrClientNil` and `ErrPingingRedisCluster` are the founding document's names.
 */

/** A store this package talks to. */
export type Store = "mysql" | "redis";

/** Folds line breaks and other control characters, so that one message is one log line. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being removed.
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, " ").trim();
}

export abstract class DataError extends Error {
  abstract readonly code: string;
  override readonly name: string;

  constructor(message: string, options?: { cause?: unknown }) {
    super(oneLine(message), options);
    this.name = new.target.name;
  }

  /** `Error` serialises to `{}`; logs and API answers want the code and the chain of causes. */
  toJSON(): Record<string, unknown> {
    const own = Object.fromEntries(Object.entries(this).filter(([key]) => key !== "cause"));
    return { ...own, name: this.name, code: this.code, message: this.message, cause: describeCause(this.cause) };
  }
}

function describeCause(cause: unknown): unknown {
  if (cause === undefined || cause instanceof DataError) return cause;
  return cause instanceof Error ? { name: cause.name, message: cause.message } : String(cause);
}

/**
 * A driver's error, copied without what drivers attach to theirs: commands with AUTH arguments, SQL text, parameters.
 * `errno` and `sqlState` are MySQL's, `driverCode` is the driver's or the system's (`ECONNREFUSED`, `WRONGPASS` …).
 */
export class DriverError extends DataError {
  readonly code = "ErrDriver";
  declare readonly errno?: number;
  declare readonly sqlState?: string;
  declare readonly driverCode?: string;

  constructor(message: string, details: { errno?: number; sqlState?: string; driverCode?: string } = {}) {
    super(message);
    Object.assign(this, details);
  }
}

/** One variable that is wrong, and what is wrong with it; never its value. */
export interface ConfigProblem {
  readonly variable: string;
  readonly problem: string;
}

/** The configuration is wrong; `problems` lists every mistake found. */
export class ConfigError extends DataError {
  readonly code = "ErrConfigInvalid";
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(`Configuration is invalid: ${problems.map((p) => `${p.variable} ${p.problem}`).join("; ")}`);
  }
}

/** No configuration was given. */
export class ConfigNilError extends DataError {
  readonly code = "ErrConfigNil";
  constructor() {
    super("Configuration is missing; pass the result of loadConfig()");
  }
}

/** A secret file cannot be used. Names the variable and the path, never the content. */
export class CredentialError extends DataError {
  readonly code = "ErrCredential";
  constructor(
    readonly variable: string,
    readonly path: string,
    problem: string,
    options?: { cause?: unknown },
  ) {
    super(`${variable}: secret file ${JSON.stringify(path)} ${problem}`, options);
  }
}

/** A client was used before `start()` or after `stop()`. */
export class ClientNilError extends DataError {
  readonly code = "ErrClientNil";
  constructor(member: string, state: string) {
    super(`container.${member} is not available: the container is ${state}; call start() first`);
  }
}

/** Redis did not answer the first PING. */
export class RedisPingError extends DataError {
  readonly code = "ErrPingingRedisCluster";
}

/** MySQL did not answer the first ping. */
export class MysqlPingError extends DataError {
  readonly code = "ErrPingingMysql";
}

/** The database lacks migrations this version needs. */
export class PendingMigrationsError extends DataError {
  readonly code = "ErrPendingMigrations";
  constructor(readonly pending: readonly string[]) {
    super(
      `The database lacks ${pending.length} migration(s): ${pending.join(", ")}. ` +
        'Run `npx doordarshan-data migrate up`, or start the container with { migrations: "run" }',
    );
  }
}

/** Another process held the migration lock for the whole wait. */
export class MigrationLockError extends DataError {
  readonly code = "ErrMigrationLock";
}

/** What is wrong with one migration of the history: not this version's (`missing`, `newer`), changed since it ran, or skipped. */
export interface HistoryProblem {
  readonly name: string;
  readonly problem: "edited" | "missing" | "newer" | "out-of-order";
}

const HISTORY_PROBLEMS: Readonly<Record<HistoryProblem["problem"], string>> = {
  edited: "was edited after it was applied: restore it, and put the change into a migration of its own",
  missing: "was applied and is not in this version of the package: install the version that has it",
  newer: "is newer than this version of the package: the database is ahead of it, so install the newer version",
  "out-of-order": "is older than one that was applied already: give it a newer timestamp",
};

/** The migrations that were applied do not fit those of this version; nothing was changed. */
export class MigrationHistoryError extends DataError {
  readonly code = "ErrMigrationHistory";
  constructor(readonly problems: readonly HistoryProblem[]) {
    super(
      `The database's migrations do not fit: ${problems.map(({ name, problem }) => `${name} ${HISTORY_PROBLEMS[problem]}`).join("; ")}`,
    );
  }
}

/** The table that is to hold the history is another program's; nothing was changed. */
export class MigrationTableError extends DataError {
  readonly code = "ErrMigrationTable";
  constructor(
    readonly table: string,
    cause: DataError,
  ) {
    super(
      `The table ${table} of this database is another program's: it lacks a column id, timestamp or name. ` +
        "Give this package a database of its own (MYSQL_DB_NAME), or rename that table if nothing uses it any more",
      { cause },
    );
  }
}

/** A setting of the server would make the migrations' tables other than they are to be; nothing was changed. */
export class MigrationSettingError extends DataError {
  readonly code = "ErrMigrationSetting";
  constructor(
    readonly variable: string,
    cause: DataError,
  ) {
    super(
      `The server has ${variable} on, and the migrating user may not turn it off for itself. Turn it off for this run ` +
        `(SET GLOBAL ${variable} = OFF), or let the user (GRANT SESSION_VARIABLES_ADMIN ON *.*)`,
      { cause },
    );
  }
}

/** MySQL's sql_require_primary_key. */
const PRIMARY_KEY_REQUIRED = 3750;
const ALLOW_NO_KEY =
  "Turn sql_require_primary_key off for this run (SET GLOBAL sql_require_primary_key = OFF): each table has its key at the end. ";

/** A migration's statement failed. What was done before it stays, and the next run goes on from there. */
export class MigrationFailedError extends DataError {
  readonly code = "ErrMigrationFailed";
  constructor(
    readonly migration: string,
    readonly table: string,
    cause: DataError,
  ) {
    const advice = cause instanceof QueryError && cause.errno === PRIMARY_KEY_REQUIRED ? ALLOW_NO_KEY : "";
    super(`${migration} failed at ${table}: ${cause.message}. ${advice}Run the migrations again to go on from there`, {
      cause,
    });
  }
}

/** Others used a table for as long as a statement may be kept waiting. `migration` is `migrations` for the checks before the first. */
export class MigrationBlockedError extends DataError {
  readonly code = "ErrMigrationBlocked";
  /** @param by who uses it, as text; empty where that cannot be seen */
  constructor(
    readonly migration: string,
    readonly table: string,
    by: string,
    options?: { cause?: unknown },
  ) {
    const hint = by ? "" : " (with the privilege PROCESS the migrating user sees by whom)";
    super(
      `${migration} could not get at ${table}, which was in use all the time${by}${hint}. ` +
        "End what holds it, a transaction left open most likely, and run the migrations again to go on from there",
      options,
    );
  }
}

/** One thing that keeps the migrations from running on the database as it is. */
export interface AdoptionProblem {
  readonly table: string;
  /** In words, after the table's name. */
  readonly problem: string;
  /** The first 20 of the rows, or keys, that stand in the way. */
  readonly rows?: readonly Readonly<Record<string, string | null>>[];
  /** How many rows or keys there are. */
  readonly count?: number;
  /** SQL that would help, to be judged and run by the operator. */
  readonly remedies?: readonly string[];
}

/** The tables or their rows are such that the pending migrations would fail or change what a row means; nothing was changed. */
export class AdoptionError extends DataError {
  readonly code = "ErrAdoption";
  constructor(readonly problems: readonly AdoptionProblem[]) {
    super(
      `The database cannot be taken over as it is, and nothing was changed: ${problems.map(describeProblem).join("; ")}`,
    );
  }
}

function describeProblem({ table, problem, rows = [], remedies = [] }: AdoptionProblem): string {
  const first = rows[0] && ` (the first: ${JSON.stringify(rows[0])})`;
  return `${table} ${problem}${first ?? ""}${remedies[0] ? `. What helps: ${remedies[0]}` : ""}`;
}

/** Taking a migration back would drop tables that have rows; none of them was. Rows that came only meanwhile leave it half reverted. */
export class DataLossError extends DataError {
  readonly code = "ErrDataLoss";
  constructor(readonly tables: readonly { readonly table: string; readonly rows: number }[]) {
    super(
      `Rows would be lost: ${tables.map(({ table, rows }) => `${table} has ${rows}`).join(", ")}. ` +
        "Save them elsewhere, or allow the loss: allowDataLoss, on the command line --allow-data-loss",
    );
  }
}

/** A package that only some services need is not installed. */
export class MissingPackageError extends DataError {
  readonly code = "ErrMissingPackage";
  constructor(
    readonly packageName: string,
    versions: string,
    neededBy: string,
  ) {
    super(`${neededBy} needs ${packageName}, which is not installed: npm install "${packageName}@${versions}"`);
  }
}

export type StartupStage = "configuration" | "credentials" | "mysql" | "schema" | "redis";

/** `start()` failed; everything that had been opened is closed again. */
export class StartupError extends DataError {
  readonly code = "ErrStartup";
  constructor(
    readonly stage: StartupStage,
    readonly store: Store | undefined,
    cause: unknown,
  ) {
    super(`Start failed at stage "${stage}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** An argument is refused before anything is sent or written. `argument` names it. */
export class InvalidInputError extends DataError {
  readonly code = "ErrInvalidInput";
  constructor(
    readonly argument: string,
    readonly problem: string,
  ) {
    super(`${argument} ${problem}`);
  }
}

/** The caller's `AbortSignal` fired. */
export class OperationAbortedError extends DataError {
  readonly code = "ErrAborted";
}

/** The deadline passed; the connection is destroyed. A transaction was not committed; a write outside one may have been. */
export class DeadlineExceededError extends DataError {
  readonly code = "ErrDeadlineExceeded";
}

/** No connection became free in time, or too many callers wait already. Nothing was sent. */
export class AcquireTimeoutError extends DataError {
  readonly code = "ErrAcquireTimeout";
}

/**
 * A statement failed; `errno`, `sqlState` and `driverCode` tell how. Holds neither SQL nor parameters.
 * In a transaction nothing was committed; outside one, a write whose connection was lost may have been.
 */
export class QueryError extends DataError {
  readonly code: string = "ErrQuery";
  declare readonly errno?: number;
  declare readonly sqlState?: string;
  declare readonly driverCode?: string;

  constructor(cause: DriverError) {
    super(cause.message, { cause });
    const { errno, sqlState, driverCode } = cause;
    Object.assign(this, {
      ...(errno !== undefined && { errno }),
      ...(sqlState && { sqlState }),
      ...(driverCode && { driverCode }),
    });
  }
}

/** The server is read-only, as after a failover (1290, 1792, 1836). The connection was evicted. */
export class ReadOnlyError extends QueryError {
  override readonly code = "ErrReadOnly";
}

/** The transaction met a deadlock (1213), a lock wait timeout (1205) or a snapshot conflict (1020) on every attempt. Nothing was committed. */
export class TransactionRetriesError extends QueryError {
  override readonly code = "ErrTransactionRetries";
  constructor(
    readonly attempts: number,
    cause: DriverError,
  ) {
    super(cause);
  }
}

/** The answer to COMMIT was lost: the transaction may or may not be in the database. Look before you repeat. */
export class CommitUnknownError extends DataError {
  readonly code = "ErrCommitUnknown";
}

/** The signal or entry was certainly not stored; it is safe to publish it again. */
export class NotStoredError extends DataError {
  readonly code = "ErrNotStored";
}

/** The answer to a write was lost: the entry may or may not be in the stream. Look before you repeat. */
export class PublishUnknownError extends DataError {
  readonly code = "ErrPublishUnknown";
}

/** Too many commands are in flight and none finished within the pool timeout. Nothing was sent. */
export class BackpressureError extends DataError {
  readonly code = "ErrBackpressure";
}

/** A Redis command failed, or its answer did not come in time (see `code`). Holds no arguments. */
export class RedisCommandError extends DataError {
  readonly code = "ErrRedisCommand";
  constructor(
    readonly command: string,
    cause: DriverError,
  ) {
    super(`${command}: ${cause.message}`, { cause });
  }
}

/** There is no such meeting. */
export class MeetingNotFoundError extends DataError {
  readonly code = "ErrMeetingNotFound";
  constructor(readonly meetingId: string) {
    super(`There is no meeting ${JSON.stringify(meetingId)}: it was never created or has ended`);
  }
}

/** The meeting exists, but the tables name no media node, or no host of one, for it. */
export class HostNotFoundError extends DataError {
  readonly code = "ErrHostNotFound";
  constructor(readonly meetingId: string) {
    super(`No media node with a host is recorded for the meeting ${JSON.stringify(meetingId)}: place it again`);
  }
}

/** There is no such media node. */
export class ContainerNotFoundError extends DataError {
  readonly code = "ErrContainerNotFound";
  constructor(readonly containerId: string) {
    super(`There is no media node ${JSON.stringify(containerId)}: it must be registered first`);
  }
}

/** The media node's heartbeat is missing, too old, or from the future. */
export class ContainerNotAliveError extends DataError {
  readonly code = "ErrContainerNotAlive";
  constructor(readonly containerId: string) {
    super(`The media node ${JSON.stringify(containerId)} is not alive: choose another`);
  }
}

/** The media node still holds meetings. */
export class ContainerInUseError extends DataError {
  readonly code = "ErrContainerInUse";
  constructor(readonly containerId: string) {
    super(
      `The media node ${JSON.stringify(containerId)} still holds routers: end or replace its meetings, then call meetings.sweepOrphans()`,
    );
  }
}

/** The media node has no such worker. */
export class WorkerNotFoundError extends DataError {
  readonly code = "ErrWorkerNotFound";
  constructor(
    readonly workerId: string,
    readonly containerId: string,
  ) {
    super(`The media node ${JSON.stringify(containerId)} has no worker ${JSON.stringify(workerId)}`);
  }
}

/** No live media node of the tenant has room. Nothing is reserved. */
export class NoCapacityError extends DataError {
  readonly code = "ErrNoCapacity";
  constructor(
    readonly tenant: string,
    demand: string,
  ) {
    super(`No live media node of tenant ${JSON.stringify(tenant)} has room for ${demand}: add nodes, or ask for less`);
  }
}

/** The reservation was confirmed, released or has expired. */
export class ReservationNotFoundError extends DataError {
  readonly code = "ErrReservationNotFound";
  constructor(readonly reservationId: string) {
    super(`The reservation ${JSON.stringify(reservationId)} is confirmed, released or expired: allocate again`);
  }
}

/** An id that must be new is in use. */
export class IdTakenError extends DataError {
  readonly code = "ErrIdTaken";
  constructor(
    readonly argument: string,
    options?: { cause?: unknown },
  ) {
    super(`${argument} is in use already: choose another id`, options);
  }
}

/** The participant is not in this meeting. */
export class ParticipantNotFoundError extends DataError {
  readonly code = "ErrParticipantNotFound";
  constructor(
    readonly meetingId: string,
    readonly participantId: string,
  ) {
    super(`Participant ${JSON.stringify(participantId)} is not in meeting ${JSON.stringify(meetingId)}; join first`);
  }
}

/** The participant is in another meeting, which they have to leave first. Does not tell which. */
export class ParticipantElsewhereError extends DataError {
  readonly code = "ErrParticipantElsewhere";
  constructor(
    readonly meetingId: string,
    readonly participantId: string,
  ) {
    super(
      `Participant ${JSON.stringify(participantId)} is in another meeting; ` +
        `leave that before joining ${JSON.stringify(meetingId)}`,
    );
  }
}

/** The meeting has no router of this role, or not the one named. */
export class RouterNotFoundError extends DataError {
  readonly code = "ErrRouterNotFound";
  constructor(
    readonly meetingId: string,
    readonly role: "producer" | "consumer",
    readonly routerId?: string,
  ) {
    const which = routerId === undefined ? "" : ` ${JSON.stringify(routerId)}`;
    super(`Meeting ${JSON.stringify(meetingId)} has no ${role} router${which} for this participant`);
  }
}

/** The participant has no such transport. */
export class TransportNotFoundError extends DataError {
  readonly code = "ErrTransportNotFound";
  constructor(
    readonly participantId: string,
    readonly role: "producer" | "consumer",
    readonly transportId?: string,
  ) {
    const which = transportId === undefined ? "" : ` ${JSON.stringify(transportId)}`;
    super(`Participant ${JSON.stringify(participantId)} has no ${role} transport${which}; create or recreate it first`);
  }
}

/** The participant has another transport of this role already, or the id belongs to another participant's. */
export class TransportExistsError extends DataError {
  readonly code = "ErrTransportExists";
  constructor(
    readonly participantId: string,
    readonly role: "producer" | "consumer",
    readonly transportId: string,
  ) {
    super(
      `Participant ${JSON.stringify(participantId)} cannot have ${role} transport ${JSON.stringify(transportId)}: ` +
        "they have another one (recreate swaps it), or someone else has this one",
    );
  }
}
