import { Column, Entity, ForeignKey, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";
import { WorkerContainer } from "./workerContainer.js";

/** A mediasoup router of a worker. */
@Entity({ name: "router_worker" })
@Index("idx_router_worker_worker", ["workerId"])
export class RouterWorker {
  @ForeignKey(() => WorkerContainer, { name: "fk_router_worker_worker", onDelete: "NO ACTION", onUpdate: "NO ACTION" })
  @Column({ name: "worker_id", ...ID, nullable: true })
  workerId!: string | null;

  @PrimaryColumn({ name: "router_id", ...ID })
  routerId!: string;
}
