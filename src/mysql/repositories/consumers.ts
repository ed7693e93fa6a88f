import { IdTakenError, TransportNotFoundError } from "../../errors.js";
import type { Database } from "./database.js";
import { missing, type ParticipantScope } from "./scope.js";
import { keyOf, pairsOf, type Target } from "./targets.js";

export interface Consumer extends Target {
  readonly consumerId: string;
}

/** Holds the participants and the first one's transport until the consumers are in. */
const LOCK_PARTICIPANTS = `SELECT participant.participant_id AS participantId, transport.transport_id AS transportId
  FROM participant_meeting participant
    LEFT JOIN participant_consumer_transport transport ON participant.participant_id = ?
      AND transport.participant_id = participant.participant_id AND transport.transport_id = ?
  WHERE participant.meeting_id = ? AND participant.participant_id IN (?) LOCK IN SHARE MODE`;

const WANTED_ID = "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/** Finds out and inserts in one: the usual case, where everyone is there and nothing is stored yet. */
const INSERT_PRESENT = `INSERT IGNORE INTO participant_consumers
    (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
  SELECT STRAIGHT_JOIN own.participant_id, 1, target.participant_id, wanted.kind, wanted.consumer_id, own.meeting_id,
    transport.transport_id
  FROM participant_meeting own
    JOIN participant_consumer_transport transport ON transport.participant_id = own.participant_id
    JOIN JSON_TABLE(?, '$[*]' COLUMNS (
      target ${WANTED_ID} PATH '$[0]', kind ${WANTED_ID} PATH '$[1]', consumer_id ${WANTED_ID} PATH '$[2]'
    )) AS wanted
    JOIN participant_meeting target ON target.participant_id = wanted.target AND target.meeting_id = own.meeting_id
  WHERE own.participant_id = ? AND own.meeting_id = ? AND transport.transport_id = ?`;

/** IGNORE, since a consumer that is there already stays; parents are locked before, so nothing else is ignored. */
const INSERT = `INSERT IGNORE INTO participant_consumers
  (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id) VALUES ?`;

/** The third condition, which the fourth implies, is what an index can serve. */
const SELECT = `SELECT target_participant_id AS targetParticipantId, kind, consumer_id AS consumerId
  FROM participant_consumers
  WHERE participant_id = ? AND meeting_id = ? AND target_participant_id IN (?) AND (target_participant_id, kind) IN (?)`;

export async function findConsumers(
  db: Database,
  { meetingId, participantId }: ParticipantScope,
  targets: readonly Target[],
  lock: "" | "LOCK IN SHARE MODE" = "",
): Promise<readonly Consumer[]> {
  const participantIds = targets.map(({ targetParticipantId }) => targetParticipantId);
  const parameters = [participantId, meetingId, participantIds, pairsOf(targets)];
  const rows = await db.query<Consumer>(`${SELECT} ${lock}`, parameters);
  return rows.map((row) => ({ ...row }));
}

/** @returns for each consumer wanted the one that is stored for its target and kind */
export async function insertConsumers(
  tx: Database,
  scope: ParticipantScope & { readonly transportId: string },
  wanted: readonly Consumer[],
): Promise<readonly Consumer[]> {
  const { meetingId, participantId, transportId } = scope;
  if (await insertPresent(tx, scope, wanted)) return wanted;
  await lockParticipants(tx, scope, wanted);
  const rows = wanted.map(({ targetParticipantId, kind, consumerId }) => {
    return [participantId, 1, targetParticipantId, kind, consumerId, meetingId, transportId];
  });
  await tx.execute(INSERT, [rows]);
  const stored = await findConsumers(tx, scope, wanted, "LOCK IN SHARE MODE");
  const byTarget = new Map(stored.map((consumer) => [keyOf(consumer), consumer]));
  return wanted.map((consumer) => {
    const found = byTarget.get(keyOf(consumer));
    if (!found) throw new IdTakenError(`consumerId ${JSON.stringify(consumer.consumerId)}`);
    return found;
  });
}

/** @returns whether all are in; if not, some may be, and stay unless the transaction is undone */
async function insertPresent(
  tx: Database,
  { meetingId, participantId, transportId }: ParticipantScope & { readonly transportId: string },
  wanted: readonly Consumer[],
): Promise<boolean> {
  const list = JSON.stringify(
    wanted.map(({ targetParticipantId, kind, consumerId }) => [targetParticipantId, kind, consumerId]),
  );
  const { affectedRows } = await tx.execute(INSERT_PRESENT, [list, participantId, meetingId, transportId]);
  return affectedRows === wanted.length;
}

async function lockParticipants(
  tx: Database,
  { meetingId, participantId, transportId }: ParticipantScope & { readonly transportId: string },
  targets: readonly Target[],
): Promise<void> {
  const ids = new Set([participantId, ...targets.map(({ targetParticipantId }) => targetParticipantId)]);
  type Row = { readonly participantId: string; readonly transportId: string | null };
  const rows = await tx.query<Row>(LOCK_PARTICIPANTS, [participantId, transportId, meetingId, [...ids]]);
  const found = new Map(rows.map((row) => [row.participantId, row.transportId]));
  for (const id of ids) if (!found.has(id)) throw await missing(tx, { meetingId, participantId: id });
  if (!found.get(participantId)) throw new TransportNotFoundError(participantId, "consumer", transportId);
}
