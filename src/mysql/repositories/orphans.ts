import type { Database } from "./database.js";

/** Rows of `child` are orphans when their `key` is not among `parent`'s. */
export type Kinship = readonly [child: string, key: string, parent: string, parentKey: string];

/** Children before what they depend on. */
export const KINSHIPS: readonly Kinship[] = [
  ["participant_consumers", "participant_id", "participant_meeting", "participant_id"],
  ["participant_consumers", "target_participant_id", "participant_meeting", "participant_id"],
  ["participant_producers", "participant_id", "participant_meeting", "participant_id"],
  ["participant_consumer_transport", "participant_id", "participant_meeting", "participant_id"],
  ["participant_producer_transport", "participant_id", "participant_meeting", "participant_id"],
  ["participant_consumer_router", "participant_id", "participant_meeting", "participant_id"],
  ["participant_producer_router", "participant_id", "participant_meeting", "participant_id"],
  ["participant_meeting", "meeting_id", "meeting_status", "meeting_id"],
  ["router_meeting", "meeting_id", "meeting_status", "meeting_id"],
  ["router_worker", "router_id", "router_meeting", "router_id"],
];

/** Few enough that nobody waits long. */
const AT_ONCE = 1_000;

/** Each batch is looked for without locks and looked at again when it is deleted. */
export async function sweepOrphans(database: Database): Promise<ReadonlyMap<string, number>> {
  const removed = new Map<string, number>();
  for (const [child, key, parent, parentKey] of KINSHIPS) {
    for (let found = AT_ONCE, deleted = 1; found === AT_ONCE && deleted > 0; ) {
      const orphans = await database.query<{ id: string }>(
        `SELECT DISTINCT c.${key} AS id FROM ${child} c LEFT JOIN ${parent} p ON p.${parentKey} = c.${key}
         WHERE p.${parentKey} IS NULL AND c.${key} IS NOT NULL LIMIT ${AT_ONCE}`,
      );
      found = orphans.length;
      deleted =
        found === 0
          ? 0
          : await remove(
              database,
              orphans.map(({ id }) => id),
              [child, key, parent, parentKey],
            );
      removed.set(child, (removed.get(child) ?? 0) + deleted);
    }
  }
  return removed;
}

async function remove(
  database: Database,
  ids: readonly string[],
  [child, key, parent, parentKey]: Kinship,
): Promise<number> {
  const { affectedRows } = await database.execute(
    `DELETE FROM ${child} WHERE ${key} IN (?)
     AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE p.${parentKey} = ${child}.${key})`,
    [ids],
  );
  return affectedRows;
}
