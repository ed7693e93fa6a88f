import { type Edge, liveKeyOf, mustBeDropped } from "./edges.js";
import type { LiveColumn, LiveForeignKey, LiveSchema } from "./liveSchema.js";
import { ANYTHING, type Statement, type Step, TRIGGERS_NOT_ALLOWED } from "./step.js";
import { COLLATION, type TableDefinition } from "./tableDefinition.js";

/**
 * Where a foreign key has to be dropped while its two ends are changed one after the other, these triggers do meanwhile what
 * it does: a parent's DELETE takes its children along, and a child without its parent is refused.
 */

const REFUSED =
  "The server refuses triggers (1419): while the tables are adopted, the foreign keys of those being changed do not hold; " +
  "what a DELETE would have taken along meanwhile is deleted at the end";

type Guarded = "delete" | "insert";

export const guardName = (table: string, event: Guarded) => `adopting_${table}_${event}`;

/**
 * Comparing is quick in each state since children are changed first. A foreign key that holds all the time is stood in for too
 * where its cascade has to go on to one that does not: the engine's own cascade would fire no trigger there.
 */
export function guardDeletes(parent: TableDefinition, edges: readonly Edge[]): Step {
  const isStoodInFor = (edge: Edge, schema: LiveSchema): boolean =>
    mustBeDropped(edge, schema) ||
    (liveKeyOf(edge, schema)?.onDelete === "CASCADE" &&
      edges.some((next) => next.parent === edge.child && isStoodInFor(next, schema)));
  const own = edges.filter((edge) => edge.parent === parent);
  return guard({ table: parent.name, event: "delete", edges: own, isStoodInFor }, (edge, key) => {
    const [child, column] = [edge.child.name, edge.key.column];
    const where = `${column} = OLD.${edge.key.references.column}`;
    if (key.onDelete === "CASCADE") return `DELETE FROM ${child} WHERE ${where};`;
    if (key.onDelete === "SET NULL") return lettingGo(child, column, where);
    return `IF EXISTS (SELECT 1 FROM ${child} WHERE ${where}) THEN ${refusal(1451, "delete a parent row")} END IF;`;
  });
}

const lettingGo = (child: string, key: string, where: string) => `UPDATE ${child} SET ${key} = NULL WHERE ${where};`;

export function guardInserts(child: TableDefinition, edges: readonly Edge[]): Step {
  const own = edges.filter((edge) => edge.child === child);
  const guarded = { table: child.name, event: "insert", edges: own, isStoodInFor: mustBeDropped } as const;
  return guard(guarded, ({ key: { column, references } }, _, schema) => {
    const parentColumn = schema.tables.get(references.table)?.columns.find(({ name }) => name === references.column);
    return parentColumn ? checkParent(column, references, parentColumn) : "";
  });
}

/** For the end. In a plan, where it does not exist yet, it is told when it will. */
export function dropGuard(table: string, event: Guarded, create: Step): Step {
  const sql = `DROP TRIGGER IF EXISTS ${guardName(table, event)}`;
  return {
    text: sql,
    subject: ANYTHING,
    pending: (schema) => (has(schema, table, event) || create.pending(schema) ? trigger(sql, table) : undefined),
  };
}

interface GuardOptions {
  readonly table: string;
  readonly event: Guarded;
  readonly edges: readonly Edge[];
  readonly isStoodInFor: (edge: Edge, schema: LiveSchema) => boolean;
}

function guard(
  { table, event, edges, isStoodInFor }: GuardOptions,
  bodyOf: (edge: Edge, key: LiveForeignKey, schema: LiveSchema) => string,
): Step {
  const create = `CREATE TRIGGER ${guardName(table, event)} BEFORE ${event.toUpperCase()} ON ${table} FOR EACH ROW`;
  return {
    text: create,
    subject: ANYTHING,
    refusable: { errno: TRIGGERS_NOT_ALLOWED, warning: REFUSED },
    pending: (schema) => {
      if (has(schema, table, event)) return undefined;
      const bodies = edges
        .filter((edge) => isStoodInFor(edge, schema))
        .flatMap((edge) => {
          const key = liveKeyOf(edge, schema);
          return key ? [bodyOf(edge, key, schema)] : [];
        });
      return bodies.length > 0 ? trigger(`${create} BEGIN ${bodies.join(" ")} END`, table) : undefined;
    },
  };
}

function trigger(sql: string, table: string): Statement {
  return { sql, table, blocks: "nobody", rebuilds: false };
}

function has(schema: LiveSchema, table: string, event: Guarded): boolean {
  return schema.tables.get(table)?.triggers.some(({ name }) => name === guardName(table, event)) ?? false;
}

/**
 * With the parent's row locked as the foreign key does. Once the child has its new collation and the parent not yet, an
 * index is used only when the parent's own collation is named. That is asked for without a row, which would be locked.
 */
function checkParent(
  column: string,
  { table, column: parentColumn }: { table: string; column: string },
  { charset, collation }: LiveColumn,
): string {
  const exists = (value: string) =>
    `EXISTS (SELECT 1 FROM ${table} WHERE ${parentColumn} = ${value} LOCK IN SHARE MODE)`;
  const old = `CONVERT(NEW.${column} USING ${charset}) COLLATE ${collation}`;
  const between = `COLLATION(NEW.${column}) = '${COLLATION}' AND (SELECT COLLATION(MAX(${parentColumn})) FROM ${table} WHERE FALSE) <> '${COLLATION}'`;
  const refuse = refusal(1452, "add a child row");
  return `IF NEW.${column} IS NULL THEN BEGIN END;
    ELSEIF ${between} THEN IF NOT ${exists(old)} THEN ${refuse} END IF;
    ELSEIF NOT ${exists(`NEW.${column}`)} THEN ${refuse} END IF;`;
}

/** The server's own error for it, which the other programs know. */
function refusal(errno: number, what: string): string {
  return `SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = ${errno}, MESSAGE_TEXT = 'Cannot ${what}: a foreign key constraint fails';`;
}
