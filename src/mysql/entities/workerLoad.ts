import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { exactBigint, ID } from "./columnTypes.js";

/** What a worker may carry and what it is used for: its routers' capacities and live reservations. Kept by triggers. */
@Entity({ name: "worker_load" })
@Index("idx_worker_load_container", ["containerId"])
@Index("idx_worker_load_room", ["containerId", "capacity", "used"])
export class WorkerLoad {
  @PrimaryColumn({ name: "worker_id", ...ID })
  workerId!: string;

  @Column({ name: "container_id", ...ID, nullable: true })
  containerId!: string | null;

  /** In consumers, mediasoup's measure of a worker. */
  @Column({ name: "capacity", type: "int", default: 500 })
  capacity!: number;

  @Column({ name: "used", type: "bigint", default: 0, transformer: exactBigint })
  used!: bigint;
}
