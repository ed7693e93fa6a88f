import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { exactBigint, ID, NAME } from "./columnTypes.js";

/** A running media node, and when it was last heard of. */
@Entity({ name: "container_heartbeat" })
@Index("idx_container_heartbeat_tenant", ["tenant"])
@Index("idx_container_heartbeat_heartbeat", ["heartbeat"])
@Index("idx_container_heartbeat_tenant_heartbeat", ["tenant", "heartbeat"])
export class ContainerHeartbeat {
  @PrimaryColumn({ name: "container_id", ...ID })
  containerId!: string;

  @Column({ name: "host", ...NAME, nullable: true })
  host!: string | null;

  @Column({ name: "tenant", ...NAME, nullable: true })
  tenant!: string | null;

  /** Unix time in nanoseconds, exact. */
  @Column({ name: "heartbeat", type: "bigint", nullable: true, transformer: exactBigint })
  heartbeat!: bigint | null;
}
