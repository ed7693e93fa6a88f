import { type DataError, MeetingNotFoundError, ParticipantNotFoundError } from "../../errors.js";
import { checkId, checkMeetingId } from "../../ids.js";
import type { Database } from "./database.js";

/** Whose rows an operation may read and change. */
export interface ParticipantScope {
  readonly meetingId: string;
  readonly participantId: string;
}

export type MediaRole = "producer" | "consumer";

/** Other programs' gaps are not to wait for ours; every row that is decided on is locked by itself. */
export const READ_COMMITTED = { isolation: "READ COMMITTED" } as const;

/** @throws InvalidInputError naming the first that cannot be an id */
export function checkIds(ids: Readonly<Record<string, unknown>>): void {
  for (const [argument, value] of Object.entries(ids)) {
    const check = argument === "meetingId" ? checkMeetingId : checkId;
    check(argument, value);
  }
}

/**
 * Locks the meeting's row, as all operations do first that delete rows of several participants: two people who leave
 * while they consume each other would otherwise deadlock.
 * @returns whether there is such a meeting
 */
export async function lockMeeting(tx: Database, meetingId: string): Promise<boolean> {
  const rows = await tx.query("SELECT meeting_id FROM meeting_status WHERE meeting_id = ? FOR UPDATE", [meetingId]);
  return rows.length > 0;
}

/** Locks the meeting and the participant in it. @throws MeetingNotFoundError, ParticipantNotFoundError */
export async function lockParticipant(tx: Database, { meetingId, participantId }: ParticipantScope): Promise<void> {
  if (!(await lockMeeting(tx, meetingId))) throw new MeetingNotFoundError(meetingId);
  const rows = await tx.query(
    "SELECT participant_id FROM participant_meeting WHERE participant_id = ? AND meeting_id = ? FOR UPDATE",
    [participantId, meetingId],
  );
  if (rows.length === 0) throw new ParticipantNotFoundError(meetingId, participantId);
}

/** Why nothing was found of the participant: to be asked once that is known, so that finding costs nothing more. */
export async function missing(db: Database, { meetingId, participantId }: ParticipantScope): Promise<DataError> {
  const rows = await db.query("SELECT meeting_id FROM meeting_status WHERE meeting_id = ?", [meetingId]);
  if (rows.length === 0) return new MeetingNotFoundError(meetingId);
  return new ParticipantNotFoundError(meetingId, participantId);
}

/** @throws MeetingNotFoundError, ParticipantNotFoundError */
export async function requirePresent(db: Database, scope: ParticipantScope): Promise<void> {
  const sql = "SELECT participant_id FROM participant_meeting WHERE participant_id = ? AND meeting_id = ?";
  const rows = await db.query(sql, [scope.participantId, scope.meetingId]);
  if (rows.length === 0) throw await missing(db, scope);
}

/** What finds `host.host`, the node of the router that `routerId` names: by its worker, or else as its meeting has it. */
export function hostOf(routerId: string): string {
  return `LEFT JOIN router_meeting host_router ON host_router.router_id = ${routerId}
    LEFT JOIN router_worker host_worker ON host_worker.router_id = ${routerId}
    LEFT JOIN worker_container host_node ON host_node.worker_id = host_worker.worker_id
    LEFT JOIN container_heartbeat host
      ON host.container_id = COALESCE(host_node.container_id, host_router.container_id)`;
}
