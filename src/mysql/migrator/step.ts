import type { LiveSchema } from "./liveSchema.js";
import type { Need } from "./needs.js";

/** The subject of a step that looks at more than one thing: the schema is read again after any statement. */
export const ANYTHING = "*";

export const ONLINE = "ALGORITHM=INPLACE, LOCK=NONE";
/** Where the engine cannot do it online: rows are copied, and their writers wait. */
export const COPYING = "ALGORITHM=COPY, LOCK=SHARED";

/** The server writes a binary log and lets only some users create triggers. */
export const TRIGGERS_NOT_ALLOWED = 1419;

/** Whose statements on the same table wait while this one runs. Each DDL statement also needs its table alone for a moment. */
export type Blocks = "nobody" | "writers" | "everyone";

/** One DDL or DML statement, and what it means to the other programs. */
export interface Statement {
  readonly sql: string;
  readonly table: string;
  readonly blocks: Blocks;
  /** Whether every row is written anew, which takes time and room as the table has. */
  readonly rebuilds: boolean;
  /** Runs with `foreign_key_checks = 0` in the migrator's session; other sessions' checks go on. */
  readonly unchecked?: true;
  /** Runs in its place where the engine cannot do it so (1845, 1846), as on a table with an index of a kind not expected. */
  readonly otherwise?: Statement;
}

/**
 * A migration's step: not an action but a wish, and what the schema still lacks of it. Being asked again after any crash
 * it answers with what is left, so every step may be run again.
 */
export interface Step {
  /** What the checksum covers. The same from TypeScript and from compiled JavaScript. */
  readonly text: string;
  /** What `pending` looks at, such as `router_meeting`: the schema is read again between two steps on the same. */
  readonly subject: string;
  /** Pure. The one statement still needed; undefined: none. On a schema that lacks the table: what a later run would need. */
  pending(schema: LiveSchema): Statement | undefined;
  /** What the data and the tables must be like; looked at before a run changes anything. */
  readonly needs?: readonly Need[];
  /** A server may refuse the statement with this error number; the run then says so and goes on without. */
  readonly refusable?: { readonly errno: number; readonly warning: string };
  /** The table whose rows it throws away; refused while there are any, unless that is allowed. */
  readonly loses?: string;
}
