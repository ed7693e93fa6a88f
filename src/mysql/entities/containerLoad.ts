import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { exactBigint, ID, NAME } from "./columnTypes.js";

/** What a media node has left, over all its workers. Kept by triggers, so that placement finds it by an index. */
@Entity({ name: "container_load" })
@Index("idx_container_load_tenant_free", ["tenant", "free", "containerId", "smallestRoom", "largestRoom"])
export class ContainerLoad {
  @PrimaryColumn({ name: "container_id", ...ID })
  containerId!: string;

  @Column({ name: "tenant", ...NAME, nullable: true })
  tenant!: string | null;

  @Column({ name: "free", type: "bigint", default: 0, transformer: exactBigint })
  free!: bigint;

  /** The least that one of its workers has left; full ones do not count. 0 when all are full. */
  @Column({ name: "smallest_room", type: "bigint", default: 0, transformer: exactBigint })
  smallestRoom!: bigint;

  /** The most that one of its workers has left. */
  @Column({ name: "largest_room", type: "bigint", default: 0, transformer: exactBigint })
  largestRoom!: bigint;
}
