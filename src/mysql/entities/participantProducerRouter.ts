import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { ParticipantMeeting } from "./participantMeeting.js";
import { RouterWorker } from "./routerWorker.js";

/** The router that a participant's producers use. */
@Entity({ name: "participant_producer_router" })
@Index("idx_participant_producer_router_router", ["routerId"])
export class ParticipantProducerRouter {
  @ForeignKey(() => ParticipantMeeting, {
    name: "fk_participant_producer_router_participant",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @PrimaryColumn({ name: "participant_id", ...ID })
  participantId!: string;

  @ForeignKey(() => RouterWorker, {
    name: "fk_participant_producer_router_router",
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  })
  @Column({ name: "router_id", ...ID, nullable: true })
  routerId!: string | null;
}
