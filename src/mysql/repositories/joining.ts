import { ParticipantElsewhereError, RouterNotFoundError } from "../../errors.js";
import { type Database, isDuplicate } from "./database.js";
import type { MediaRole, ParticipantScope } from "./scope.js";

export interface JoinRequest extends ParticipantScope {
  /** The browser tab or device; the newest wins. */
  readonly instanceId: string;
  /** Routers of the meeting, as `allocateRouters` chose them. */
  readonly producerRouterId?: string | undefined;
  readonly consumerRouterId?: string | undefined;
}

export type JoinOutcome = "joined" | "already-joined" | "replaced-instance";
export type LeaveOutcome = "left" | "not-in-meeting";

/** A router counts only if it is the meeting's and of this role. */
const ASSIGN_ROUTER: Readonly<Record<MediaRole, string>> = {
  producer: `INSERT INTO participant_producer_router (participant_id, router_id)
    SELECT ?, router_id FROM router_meeting
    WHERE router_id = ? AND meeting_id = ? AND (producer_capacity IS NOT NULL OR capacity IS NOT NULL)`,
  consumer: `INSERT INTO participant_consumer_router (participant_id, router_id)
    SELECT ?, router_id FROM router_meeting
    WHERE router_id = ? AND meeting_id = ? AND (consumer_capacity IS NOT NULL OR capacity IS NOT NULL)`,
};

/** Children first: a cascade over several levels loses rows on MySQL 9.7. */
const REMOVE_BELONGINGS = [
  "DELETE FROM participant_consumers WHERE participant_id = ?",
  "DELETE FROM participant_consumers WHERE target_participant_id = ?",
  "DELETE FROM participant_producers WHERE participant_id = ?",
  "DELETE FROM participant_consumer_transport WHERE participant_id = ?",
  "DELETE FROM participant_producer_transport WHERE participant_id = ?",
  "DELETE FROM participant_consumer_router WHERE participant_id = ?",
  "DELETE FROM participant_producer_router WHERE participant_id = ?",
] as const;

interface Present {
  readonly meetingId: string | null;
  readonly instanceId: string | null;
}

/** Where the participant is; locked. */
export async function findPresent(tx: Database, participantId: string): Promise<Present | undefined> {
  const [present] = await tx.query<Present>(
    "SELECT meeting_id AS meetingId, instance_id AS instanceId FROM participant_meeting WHERE participant_id = ? FOR UPDATE",
    [participantId],
  );
  return present;
}

export async function enter(tx: Database, request: JoinRequest): Promise<JoinOutcome> {
  const { meetingId, participantId, instanceId } = request;
  const present = await findPresent(tx, participantId);
  if (!present) return insert(tx, request);
  const { meetingId: presentMeetingId } = present;
  if (presentMeetingId !== null && presentMeetingId !== meetingId)
    throw new ParticipantElsewhereError(meetingId, participantId);
  if (presentMeetingId !== null && present.instanceId === instanceId) return "already-joined";
  await removeBelongings(tx, participantId);
  const sql = "UPDATE participant_meeting SET meeting_id = ?, instance_id = ? WHERE participant_id = ?";
  await tx.execute(sql, [meetingId, instanceId, participantId]);
  return presentMeetingId === null ? "joined" : "replaced-instance";
}

async function insert(tx: Database, { meetingId, participantId, instanceId }: JoinRequest): Promise<JoinOutcome> {
  const sql = "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES (?, ?, ?)";
  try {
    await tx.execute(sql, [meetingId, participantId, instanceId]);
    return "joined";
  } catch (error) {
    // The meeting is locked, so whoever came first is in another one.
    throw isDuplicate(error) ? new ParticipantElsewhereError(meetingId, participantId) : error;
  }
}

export async function assignRouter(
  tx: Database,
  { meetingId, participantId }: ParticipantScope,
  role: MediaRole,
  routerId: string | undefined,
): Promise<void> {
  if (routerId === undefined) return;
  const { affectedRows } = await tx.execute(ASSIGN_ROUTER[role], [participantId, routerId, meetingId]);
  if (affectedRows === 0) throw new RouterNotFoundError(meetingId, role, routerId);
}

export async function removeParticipant(tx: Database, participantId: string): Promise<void> {
  await removeBelongings(tx, participantId);
  await tx.execute("DELETE FROM participant_meeting WHERE participant_id = ?", [participantId]);
}

async function removeBelongings(tx: Database, participantId: string): Promise<void> {
  for (const statement of REMOVE_BELONGINGS) await tx.execute(statement, [participantId]);
}
