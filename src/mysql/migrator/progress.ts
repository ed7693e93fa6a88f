import type { DataError } from "../../errors.js";
import type { Holder } from "./holders.js";
import type { TableSize } from "./liveSchema.js";
import type { Blocks } from "./step.js";

interface Told {
  /** One line for people. */
  readonly message: string;
}

/** Another process migrates; told at once and then every few seconds. */
export interface LockWaitEvent extends Told {
  readonly kind: "waiting-for-lock";
  readonly waitedMs: number;
  /** Who holds the lock, as far as this user may see it. */
  readonly heldBy: Holder | undefined;
}

/** A statement is about to be sent. */
export interface StatementEvent extends Told {
  readonly kind: "statement";
  readonly migration: string;
  readonly sql: string;
  readonly table: string;
  /** As the engine estimates it; undefined for a table that does not exist yet. */
  readonly size: TableSize | undefined;
  readonly blocks: Blocks;
  readonly rebuilds: boolean;
}

/** A statement has been running for a while; told every second. */
export interface RunningEvent extends Told {
  readonly kind: "running";
  readonly migration: string;
  readonly table: string;
  readonly elapsedMs: number;
  /** What the server says it is doing. */
  readonly state: string | undefined;
  /** MariaDB alone knows. */
  readonly percent: number | undefined;
}

/** Others used the table for longer than a statement may wait; it will be tried again. */
export interface RetryEvent extends Told {
  readonly kind: "retrying";
  readonly migration: string;
  readonly table: string;
  readonly attempt: number;
  readonly pauseMs: number;
  readonly heldBy: readonly Holder[];
  readonly cause: DataError;
}

/** The server refuses a step that can be done without; the run goes on. */
export interface RefusedEvent extends Told {
  readonly kind: "refused";
  readonly migration: string;
  readonly table: string;
}

/** A migration is done and recorded. */
export interface DoneEvent extends Told {
  /** `completed`: it was applied before, without a step that the server refused then. */
  readonly kind: "applied" | "reverted" | "completed";
  readonly migration: string;
}

/** What a run of the migrator tells while it works. */
export type MigrationEvent = LockWaitEvent | StatementEvent | RunningEvent | RetryEvent | RefusedEvent | DoneEvent;

export type Tell = (event: MigrationEvent) => void;

/** `12,345 rows, 21 MB`. */
export function sizeText({ rows, bytes }: TableSize): string {
  return `${rows.toLocaleString("en-US")} rows, ${byteText(bytes)}`;
}

function byteText(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1_000).toLocaleString("en-US")} kB`;
  return `${Math.round(bytes / 1_000_000).toLocaleString("en-US")} MB`;
}
