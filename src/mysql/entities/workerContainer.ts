import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";

/** A mediasoup worker of a media node. */
@Entity({ name: "worker_container" })
@Index("idx_worker_container_container", ["containerId"])
export class WorkerContainer {
  @Column({ name: "container_id", ...ID, nullable: true })
  containerId!: string | null;

  @PrimaryColumn({ name: "worker_id", ...ID })
  workerId!: string;
}
