import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { ParticipantConsumerTransport } from "./participantConsumerTransport.js";
import { ParticipantMeeting } from "./participantMeeting.js";

/** A media track that a participant receives from another. */
@Entity({ name: "participant_consumers" })
@Index("uq_participant_consumers_target_kind", ["participantId", "targetParticipantId", "kind"], { unique: true })
@Index("idx_participant_consumers_target", ["targetParticipantId"])
@Index("idx_participant_consumers_transport", ["transportId"])
@Index("idx_participant_consumers_meeting_participant", [
  "meetingId",
  "participantId",
  "consumerId",
  "targetParticipantId",
  "kind",
  "transportId",
])
export class ParticipantConsumer {
  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_consumers_participant",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @Column({ name: "participant_id", ...ID, nullable: true })
  participantId!: string | null;

  @Column({ name: "consumers", type: "int", nullable: true })
  consumers!: number | null;

  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_consumers_target",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @Column({ name: "target_participant_id", ...ID, nullable: true })
  targetParticipantId!: string | null;

  @Column({ name: "kind", ...ID, nullable: true })
  kind!: string | null;

  @PrimaryColumn({ name: "consumer_id", ...ID })
  consumerId!: string;

  @Column({ name: "meeting_id", ...ID, nullable: true })
  meetingId!: string | null;

  @ForeignKey(
    () => ParticipantConsumerTransport,
    (target) => target.transportId,
    { name: "fk_participant_consumers_transport", onDelete: "CASCADE", onUpdate: "NO ACTION" },
  )
  @Column({ name: "transport_id", ...ID, nullable: true })
  transportId!: string | null;
}
