import type { Database } from "./database.js";
import type { ParticipantScope } from "./scope.js";

/** What is gone from the tables, and what the node has to close. */
export interface ClosedMedia {
  readonly producerIds: readonly string[];
  readonly consumerIds: readonly string[];
}

interface ProducerRow {
  readonly producerId: string;
  readonly kind: string | null;
}

/**
 * Removes the participant's producers, all or those `which` holds, and the consumers that others have of them. The tables
 * tell a consumer's target and kind, not its producer: it goes with the last producer of its kind.
 */
export async function removeProducers(
  tx: Database,
  scope: ParticipantScope,
  which?: ReadonlySet<string>,
): Promise<ClosedMedia> {
  const producers = await tx.query<ProducerRow>(
    `SELECT producer_id AS producerId, kind FROM participant_producers
     WHERE participant_id = ? AND meeting_id = ? FOR UPDATE`,
    [scope.participantId, scope.meetingId],
  );
  const closing = producers.filter(({ producerId }) => !which || which.has(producerId));
  if (closing.length === 0) return { producerIds: [], consumerIds: [] };
  const staying = new Set(producers.filter((producer) => !closing.includes(producer)).map(({ kind }) => kind));
  const kinds = closing.flatMap(({ kind }) => (kind === null || staying.has(kind) ? [] : [kind]));
  const consumerIds = await removeConsumersOf(tx, scope, kinds);
  const producerIds = closing.map(({ producerId }) => producerId);
  await tx.execute("DELETE FROM participant_producers WHERE participant_id = ? AND producer_id IN (?)", [
    scope.participantId,
    producerIds,
  ]);
  return { producerIds, consumerIds };
}

async function removeConsumersOf(
  tx: Database,
  { meetingId, participantId }: ParticipantScope,
  kinds: readonly string[],
): Promise<readonly string[]> {
  if (kinds.length === 0) return [];
  const rows = await tx.query<{ consumerId: string }>(
    `SELECT consumer_id AS consumerId FROM participant_consumers
     WHERE target_participant_id = ? AND meeting_id = ? AND kind IN (?) FOR UPDATE`,
    [participantId, meetingId, kinds],
  );
  return removeConsumers(tx, rows);
}

/** Removes the participant's own consumers. */
export async function removeOwnConsumers(
  tx: Database,
  { meetingId, participantId }: ParticipantScope,
): Promise<ClosedMedia> {
  const rows = await tx.query<{ consumerId: string }>(
    `SELECT consumer_id AS consumerId FROM participant_consumers
     WHERE participant_id = ? AND meeting_id = ? FOR UPDATE`,
    [participantId, meetingId],
  );
  return { producerIds: [], consumerIds: await removeConsumers(tx, rows) };
}

async function removeConsumers(tx: Database, rows: readonly { consumerId: string }[]): Promise<readonly string[]> {
  const consumerIds = rows.map(({ consumerId }) => consumerId);
  if (consumerIds.length > 0)
    await tx.execute("DELETE FROM participant_consumers WHERE consumer_id IN (?)", [consumerIds]);
  return consumerIds;
}
