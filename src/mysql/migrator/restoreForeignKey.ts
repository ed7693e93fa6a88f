import { type Edge, isUnsettled, liveKeyOf } from "./edges.js";
import { guardName } from "./guards.js";
import type { LiveForeignKey, LiveSchema } from "./liveSchema.js";
import { ANYTHING, ONLINE, type Step } from "./step.js";
import { foreignKeySql } from "./tableDefinition.js";

/** The steps that give an edge its foreign key, by name and actions, once both ends have their columns. */
export function restoreForeignKey(edge: Edge): Step[] {
  return [dropWrongKey(edge), sweepOrphans(edge), addKey(edge)];
}

/** One of the right name with other actions; a new one of the same name cannot be added in the statement that drops it. */
function dropWrongKey(edge: Edge): Step {
  const { child, key } = edge;
  const sql = `ALTER TABLE ${child.name} DROP FOREIGN KEY ${key.name}, ${ONLINE}`;
  return {
    text: sql,
    subject: ANYTHING,
    pending: (schema) => {
      const live = liveKeyOf(edge, schema);
      const isWrong = live?.name === key.name && !isRight(edge, live) && !isGone(edge, schema);
      return isWrong ? { sql, table: child.name, blocks: "nobody", rebuilds: false } : undefined;
    },
  };
}

/**
 * What lost its parent while no foreign key held: deleted, as the key would have done, or let go where it does not cascade.
 * Not asked for where triggers stood in for the key.
 */
function sweepOrphans(edge: Edge): Step {
  const [child, key, parent, parentKey] = namesOf(edge);
  const where = `${key} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE p.${parentKey} = ${child}.${key})`;
  const remove = `DELETE FROM ${child} WHERE ${where}`;
  const letGo = `UPDATE ${child} SET ${key} = NULL WHERE ${where}`;
  const sql = edge.key.onDelete === "CASCADE" ? remove : letGo;
  return {
    text: sql,
    subject: ANYTHING,
    pending: (schema) =>
      lacks(edge, schema) && !isGuarded(edge, schema)
        ? { sql, table: child, blocks: "writers", rebuilds: false }
        : undefined,
  };
}

function namesOf({ child, key }: Edge): [child: string, key: string, parent: string, parentKey: string] {
  return [child.name, key.column, key.references.table, key.references.column];
}

/** Unchecked, or it would copy the table under a lock to look at each row; what would not pass has been looked for. */
function addKey(edge: Edge): Step {
  const { child, key } = edge;
  const add = `ADD ${foreignKeySql(key)}`;
  return {
    text: `ALTER TABLE ${child.name} ${add}`,
    subject: ANYTHING,
    pending: (schema) => {
      const live = liveKeyOf(edge, schema);
      if (!existsIn(schema, edge) || (live && isRight(edge, live) && !isGone(edge, schema))) return undefined;
      const drop = live && live.name !== key.name && !isGone(edge, schema) ? `DROP FOREIGN KEY \`${live.name}\`, ` : "";
      const sql = `ALTER TABLE ${child.name} ${drop}${add}, ${ONLINE}`;
      return { sql, table: child.name, blocks: "nobody", rebuilds: false, unchecked: true };
    },
  };
}

function existsIn(schema: LiveSchema, { child, parent }: Edge): boolean {
  return schema.tables.has(child.name) && schema.tables.has(parent.name);
}

function isRight({ key }: Edge, live: LiveForeignKey): boolean {
  return live.name === key.name && live.onDelete === key.onDelete && live.onUpdate === "NO ACTION";
}

/** When its turn comes it will have been dropped; so it is told in a plan. */
function isGone(edge: Edge, schema: LiveSchema): boolean {
  return !schema.foreignKeysBend && isUnsettled(edge, schema);
}

function lacks(edge: Edge, schema: LiveSchema): boolean {
  return existsIn(schema, edge) && !liveKeyOf(edge, schema);
}

function isGuarded({ child, parent }: Edge, schema: LiveSchema): boolean {
  const bodyOf = (table: string, event: "delete" | "insert") =>
    schema.tables.get(table)?.triggers.find(({ name }) => name === guardName(table, event))?.body ?? "";
  return bodyOf(parent.name, "delete").includes(child.name) && bodyOf(child.name, "insert").includes(parent.name);
}
