import { alignTable } from "./alignTable.js";
import { edgesOf } from "./edges.js";
import { dropGuard, guardDeletes, guardInserts } from "./guards.js";
import { restoreForeignKey } from "./restoreForeignKey.js";
import type { Step } from "./step.js";
import type { TableDefinition } from "./tableDefinition.js";

/**
 * The steps that bring tables which exist already, made by hand, to their definitions, while other programs use them.
 * None is needed where they do not exist or fit. `definitions` stand parents before children; the work goes the other way.
 */
export function adoptTables(definitions: readonly TableDefinition[]): Step[] {
  const edges = edgesOf(definitions);
  const guards = definitions.flatMap((table) => [
    { table: table.name, event: "delete" as const, step: guardDeletes(table, edges) },
    { table: table.name, event: "insert" as const, step: guardInserts(table, edges) },
  ]);
  return [
    ...guards.map(({ step }) => step),
    ...definitions.toReversed().flatMap((table) => [
      alignTable(
        table,
        edges.filter((edge) => edge.child === table),
      ),
      ...edges.filter((edge) => edge.parent === table).flatMap(restoreForeignKey),
    ]),
    ...guards.map(({ table, event, step }) => dropGuard(table, event, step)),
  ];
}
