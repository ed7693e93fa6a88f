import { Column, Entity, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";

/** Whether a media node takes part. */
@Entity({ name: "container_status" })
export class ContainerStatus {
  @PrimaryColumn({ name: "container_id", ...ID })
  containerId!: string;

  @Column({ name: "status", type: "tinyint", nullable: true })
  status!: number | null;
}
