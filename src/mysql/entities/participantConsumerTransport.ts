import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { ParticipantMeeting } from "./participantMeeting.js";

/** The transport that carries a participant's consumers. */
@Entity({ name: "participant_consumer_transport" })
@Index("uq_participant_consumer_transport_transport", ["transportId"], { unique: true })
export class ParticipantConsumerTransport {
  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_consumer_transport_participant",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @PrimaryColumn({ name: "participant_id", ...ID })
  participantId!: string;

  @Column({ name: "transport_id", ...ID, nullable: true })
  transportId!: string | null;
}
