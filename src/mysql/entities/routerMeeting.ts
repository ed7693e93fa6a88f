import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { MeetingStatus } from "./meetingStatus.js";
import { RouterWorker } from "./routerWorker.js";

/** A router's meeting. One of the three capacities is set; that makes it a producer or a consumer router. */
@Entity({ name: "router_meeting" })
@Index("idx_router_meeting_router", ["routerId"])
@Index("idx_router_meeting_meeting", ["meetingId"])
@Index("idx_router_meeting_container", ["containerId"])
export class RouterMeeting {
  @ForeignKey(() => RouterWorker, { name: "fk_router_meeting_router", onDelete: "CASCADE", onUpdate: "NO ACTION" })
  @PrimaryColumn({ name: "router_id", ...ID })
  routerId!: string;

  @ForeignKey(() => MeetingStatus, { name: "fk_router_meeting_meeting", onDelete: "CASCADE", onUpdate: "NO ACTION" })
  @Column({ name: "meeting_id", ...ID, nullable: true })
  meetingId!: string | null;

  @Column({ name: "producer_capacity", type: "int", nullable: true })
  producerCapacity!: number | null;

  @Column({ name: "consumer_capacity", type: "int", nullable: true })
  consumerCapacity!: number | null;

  @Column({ name: "capacity", type: "int", nullable: true })
  capacity!: number | null;

  @Column({ name: "container_id", ...ID, nullable: true })
  containerId!: string | null;
}
