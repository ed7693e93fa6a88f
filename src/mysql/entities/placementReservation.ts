import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { ID } from "./columnTypes.js";

/** Room on a worker that is promised to a meeting about to be created. */
@Entity({ name: "placement_reservation" })
@Index("idx_placement_reservation_worker", ["workerId"])
@Index("idx_placement_reservation_container", ["containerId"])
@Index("idx_placement_reservation_expires", ["expiresAt"])
export class PlacementReservation {
  @PrimaryColumn({ name: "reservation_id", ...ID })
  reservationId!: string;

  @PrimaryColumn({ name: "worker_id", ...ID })
  workerId!: string;

  @Column({ name: "container_id", ...ID })
  containerId!: string;

  /** `producer` or `consumer`. */
  @Column({ name: "role", ...ID, length: 8 })
  role!: string;

  @Column({ name: "amount", type: "int" })
  amount!: number;

  /** By the database's clock, UTC. */
  @Column({ name: "expires_at", type: "datetime", precision: 3 })
  expiresAt!: Date;
}
