import type { Step } from "./step.js";
import type { TableDefinition } from "./tableDefinition.js";

/** The steps that bring tables which exist already to their definitions. None is needed where they do not exist or fit. */
export function adoptTables(_definitions: readonly TableDefinition[]): Step[] {
  return [];
}
