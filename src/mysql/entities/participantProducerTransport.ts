import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { ParticipantMeeting } from "./participantMeeting.js";

/** The transport that carries a participant's producers. */
@Entity({ name: "participant_producer_transport" })
@Index("uq_participant_producer_transport_transport", ["transportId"], { unique: true })
export class ParticipantProducerTransport {
  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_producer_transport_participant",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @PrimaryColumn({ name: "participant_id", ...ID })
  participantId!: string;

  @Column({ name: "transport_id", ...ID, nullable: true })
  transportId!: string | null;
}
