import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { MeetingStatus } from "./meetingStatus.js";

/** A participant's meeting, and the instance that is theirs now. */
@Entity({ name: "participant_meeting" })
@Index("idx_participant_meeting_meeting", ["meetingId"])
export class ParticipantMeeting {
  @ForeignKey(() => MeetingStatus, {
    name: "fk_participant_meeting_meeting",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @Column({ name: "meeting_id", ...ID, nullable: true })
  meetingId!: string | null;

  @PrimaryColumn({ name: "participant_id", ...ID })
  participantId!: string;

  @Column({ name: "instance_id", ...ID, nullable: true })
  instanceId!: string | null;
}
