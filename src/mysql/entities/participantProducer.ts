import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { ParticipantMeeting } from "./participantMeeting.js";
import { ParticipantProducerTransport } from "./participantProducerTransport.js";

/** A media track that a participant sends. */
@Entity({ name: "participant_producers" })
@Index("idx_participant_producers_participant", ["participantId"])
@Index("idx_participant_producers_transport", ["transportId"])
@Index("idx_participant_producers_meeting_participant", ["meetingId", "participantId"])
@Index("idx_participant_producers_producer", ["producerId"])
export class ParticipantProducer {
  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_producers_participant",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @PrimaryColumn({ name: "participant_id", ...ID })
  participantId!: string;

  @Column({ name: "producers", type: "int", nullable: true })
  producers!: number | null;

  @Column({ name: "kind", ...ID, nullable: true })
  kind!: string | null;

  @PrimaryColumn({ name: "producer_id", ...ID })
  producerId!: string;

  @Column({ name: "meeting_id", ...ID, nullable: true })
  meetingId!: string | null;

  @ForeignKey(
    () => ParticipantProducerTransport,
    (target) => target.transportId,
    { name: "fk_participant_producers_transport", onDelete: "CASCADE", onUpdate: "NO ACTION" },
  )
  @Column({ name: "transport_id", ...ID, nullable: true })
  transportId!: string | null;
}
