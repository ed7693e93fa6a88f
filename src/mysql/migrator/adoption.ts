import { AdoptionError, type AdoptionProblem } from "../../errors.js";
import { type Ask, referenceProblems, uniqueProblems } from "./dataChecks.js";
import { HISTORY } from "./history.js";
import type { LiveSchema } from "./liveSchema.js";
import type { Need } from "./needs.js";
import type { Patience } from "./patience.js";
import { type ShapeContext, shapeProblems } from "./shape.js";

/**
 * Refuses a database whose tables or rows stand in the way of `needs`, telling everything at once. Reads only.
 * @throws AdoptionError
 * @throws MigrationBlockedError when others kept a table from being looked at
 */
export async function refuseUnfit(patience: Patience, schema: LiveSchema, needs: readonly Need[]): Promise<void> {
  const ask: Ask = (table, sql) => patience.query({ migration: HISTORY, table }, sql);
  const problems = [...problemsOfShape(schema, needs), ...(await problemsOfRows(ask, schema, needs))];
  if (problems.length > 0) throw new AdoptionError(problems);
}

function problemsOfShape(schema: LiveSchema, needs: readonly Need[]): AdoptionProblem[] {
  const definitions = needs.flatMap((need) => (need.kind === "shape" ? [need.definition] : []));
  const keys = needs.flatMap((need) => (need.kind === "unique" && need.notNull ? [need] : []));
  const keysToCome = new Map(keys.map(({ table, columns }) => [table, columns]));
  const context: ShapeContext = { schema, definitions, keysToCome };
  return definitions.flatMap((definition) => shapeProblems(definition, context));
}

/** Where the columns are missing, that was told already. */
async function problemsOfRows(ask: Ask, schema: LiveSchema, needs: readonly Need[]): Promise<AdoptionProblem[]> {
  const problems: AdoptionProblem[] = [];
  for (const need of needs) {
    if (need.kind === "unique") problems.push(...(await uniqueProblems(ask, schema, need)));
    if (need.kind === "reference") problems.push(...(await referenceProblems(ask, schema, need)));
  }
  return problems;
}
