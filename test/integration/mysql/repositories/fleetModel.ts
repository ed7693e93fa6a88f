import type { Demand } from "../../../../src/mysql/repositories/placement.js";

export interface ModelNode {
  readonly tenant: string;
  readonly host: string;
  readonly workers: readonly string[];
  alive: boolean;
  enabled: boolean;
}

export interface ModelRouter {
  readonly routerId: string;
  readonly workerId: string;
  readonly producerCapacity?: number;
  readonly consumerCapacity?: number;
}

export interface ModelMeeting {
  readonly containerId: string;
  readonly routers: readonly ModelRouter[];
}

export interface ModelReservation {
  readonly containerId: string;
  readonly shares: readonly ModelRouter[];
}

const LIMIT = 500;
const bytes = (text: string) => Buffer.from(text).toString("hex");

/** What fleet and meetings should be, kept in memory and worked out the long way. */
export class FleetModel {
  readonly nodes = new Map<string, ModelNode>();
  readonly meetings = new Map<string, ModelMeeting>();
  readonly reservations = new Map<string, ModelReservation>();

  used(workerId: string): number {
    const rows = [...this.meetings.values()].flatMap(({ routers }) => routers);
    const promised = [...this.reservations.values()].flatMap(({ shares }) => shares);
    return [...rows, ...promised]
      .filter((row) => row.workerId === workerId)
      .reduce((sum, { producerCapacity = 0, consumerCapacity = 0 }) => sum + producerCapacity + consumerCapacity, 0);
  }

  rooms(containerId: string): number[] {
    return (this.nodes.get(containerId)?.workers ?? []).map((id) => Math.max(0, LIMIT - this.used(id)));
  }

  free(containerId: string): number {
    return this.rooms(containerId).reduce((sum, room) => sum + room, 0);
  }

  /** Every worker is tried for the producers, and for each every set of others for the consumers. */
  fewestConsumerWorkers(containerId: string, { producerCapacity, consumerCapacity }: Demand): number | undefined {
    const workers = this.nodes.get(containerId)?.workers ?? [];
    const rooms = this.rooms(containerId);
    const sizes: number[] = [];
    for (const [producer, room] of rooms.entries()) {
      // A worker that is over its limit takes nothing, not even producers of no capacity.
      if (room < producerCapacity || this.used(workers[producer] as string) > LIMIT) continue;
      for (let set = 0; set < 2 ** rooms.length; set += 1) {
        const chosen = rooms.filter((_, n) => n !== producer && set & (1 << n));
        if (chosen.reduce((sum, each) => sum + each, 0) >= consumerCapacity) sizes.push(chosen.length);
      }
    }
    return sizes.length > 0 ? Math.min(...sizes) : undefined;
  }

  /** The node that `allocate` must take. */
  bestNode(tenant: string, demand: Demand): string | undefined {
    const fitting = [...this.nodes].filter(
      ([id, node]) =>
        node.tenant === tenant && node.alive && node.enabled && this.fewestConsumerWorkers(id, demand) !== undefined,
    );
    fitting.sort(([a], [b]) => this.free(a) - this.free(b) || (bytes(a) < bytes(b) ? -1 : 1));
    return fitting[0]?.[0];
  }

  holdsRouters(containerId: string): boolean {
    return [...this.meetings.values()].some((meeting) => meeting.containerId === containerId);
  }

  remove(containerId: string): void {
    this.nodes.delete(containerId);
    for (const [id, reservation] of this.reservations)
      if (reservation.containerId === containerId) this.reservations.delete(id);
  }

  /** As the tables should show it. */
  rows(): unknown {
    const routers = [...this.meetings].flatMap(([meetingId, { containerId, routers }]) =>
      routers.map(({ routerId, workerId, producerCapacity, consumerCapacity }) => [
        routerId,
        meetingId,
        containerId,
        workerId,
        producerCapacity ?? null,
        consumerCapacity ?? null,
      ]),
    );
    const loads = [...this.nodes.values()].flatMap(({ workers }) => workers.map((id) => [id, this.used(id)]));
    const frees = [...this.nodes.keys()].map((id) => {
      const left = this.rooms(id).filter((room) => room > 0);
      return [id, this.free(id), left.length > 0 ? Math.min(...left) : 0, Math.max(0, ...left)];
    });
    return [sorted([...this.meetings.keys()].map((id) => [id])), sorted(routers), sorted(loads), sorted(frees)];
  }
}

/** By the bytes of the first column. */
export function sorted<R extends readonly unknown[]>(rows: R[]): R[] {
  return rows.sort((a, b) => (bytes(String(a[0])) < bytes(String(b[0])) ? -1 : 1));
}
