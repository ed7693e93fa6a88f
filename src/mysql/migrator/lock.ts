import { createHash } from "node:crypto";
import { MigrationLockError } from "../../errors.js";
import { describeConnection, type Holder, holderText } from "./holders.js";
import type { Tell } from "./progress.js";
import type { MigratorSession } from "./session.js";

export interface LockOptions {
  readonly database: string;
  readonly timeoutMs: number;
  readonly tell: Tell;
  /** Called between two slices of the wait; throws to end it. */
  readonly check: () => void;
}

const SLICE_SECONDS = 1;
const TELL_EVERY_MS = 5_000;
const GET_LOCK = "SELECT GET_LOCK(?, ?) AS got";

/**
 * Takes the lock on migrating the database, for as long as the session lives: TypeORM takes none. Lock and migrations share
 * one connection, so whoever lost the lock cannot go on.
 * @throws MigrationLockError when others held it for `timeoutMs`, saying who
 */
export async function takeLock(session: MigratorSession, options: LockOptions): Promise<void> {
  const name = lockName(options.database);
  const began = performance.now();
  let toldAt = Number.NEGATIVE_INFINITY;
  if (await tryLock(session, name, 0)) return;
  for (;;) {
    const heldBy = await holderOf(session, name);
    const waitedMs = Math.round(performance.now() - began);
    if (waitedMs >= options.timeoutMs) throw new MigrationLockError(refusal(name, waitedMs, heldBy));
    if (waitedMs - toldAt >= TELL_EVERY_MS) {
      toldAt = waitedMs;
      options.tell({ kind: "waiting-for-lock", waitedMs, heldBy, message: waitText(heldBy, waitedMs) });
    }
    options.check();
    if (await tryLock(session, name, SLICE_SECONDS)) return;
  }
}

export async function releaseLock(session: MigratorSession, database: string): Promise<void> {
  await session.query("SELECT RELEASE_LOCK(?) AS released", [lockName(database)]);
}

async function tryLock(session: MigratorSession, name: string, seconds: number): Promise<boolean> {
  const [answer] = await session.query<{ got: unknown }>(GET_LOCK, [name, seconds]);
  return Number(answer?.got) === 1;
}

async function holderOf(session: MigratorSession, name: string): Promise<Holder | undefined> {
  const [row] = await session.query<{ id: unknown }>("SELECT IS_USED_LOCK(?) AS id", [name]);
  return row?.id ? describeConnection(session, Number(row.id)) : undefined;
}

/** The lock belongs to the server, not to the database; its name has at most 64 characters. */
export function lockName(database: string): string {
  const name = `doordarshan-data:migrate:${database}`;
  return name.length <= 64
    ? name
    : `doordarshan-data:migrate:${createHash("sha256").update(database).digest("hex").slice(0, 32)}`;
}

const by = (holder: Holder | undefined) => (holder ? `: ${holderText(holder)}` : "");

function waitText(holder: Holder | undefined, waitedMs: number): string {
  const waited = waitedMs < 1_000 ? "" : `, ${Math.round(waitedMs / 1_000)} s so far`;
  return `Waiting for another process that migrates this database${by(holder)}${waited}`;
}

function refusal(name: string, waitedMs: number, holder: Holder | undefined): string {
  return (
    `Another process has held the migration lock ${JSON.stringify(name)} for ${waitedMs} ms${by(holder)}. ` +
    "Wait until it has finished, or end it, then start again"
  );
}
