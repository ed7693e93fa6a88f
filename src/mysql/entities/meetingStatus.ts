import { Column, Entity, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";

/** A meeting. */
@Entity({ name: "meeting_status" })
export class MeetingStatus {
  @PrimaryColumn({ name: "meeting_id", ...ID })
  meetingId!: string;

  @Column({ name: "enabled", type: "tinyint", nullable: true })
  enabled!: number | null;
}
