import { CreateMeetingTables1795302000000 } from "./1795302000000-CreateMeetingTables.js";
import { AddPrimaryKeys1795305600000 } from "./1795305600000-AddPrimaryKeys.js";
import { AddOperationIndexes1795309200000 } from "./1795309200000-AddOperationIndexes.js";
import { CreatePlacementTables1795312800000 } from "./1795312800000-CreatePlacementTables.js";
import { AddTriggers1795316400000 } from "./1795316400000-AddTriggers.js";
import { CountLoads1795320000000 } from "./1795320000000-CountLoads.js";

/** Every migration, in order. */
export const migrations = [
  CreateMeetingTables1795302000000,
  AddPrimaryKeys1795305600000,
  AddOperationIndexes1795309200000,
  CreatePlacementTables1795312800000,
  AddTriggers1795316400000,
  CountLoads1795320000000,
] as const;
