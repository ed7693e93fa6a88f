import { CreateMeetingTables1795302000000 } from "./1795302000000-CreateMeetingTables.js";
import { AddPrimaryKeys1795305600000 } from "./1795305600000-AddPrimaryKeys.js";

/** Every migration, in order. */
export const migrations = [CreateMeetingTables1795302000000, AddPrimaryKeys1795305600000] as const;
