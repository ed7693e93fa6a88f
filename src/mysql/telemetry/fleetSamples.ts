import type { Sample } from "../../telemetry/telemetry.js";
import type { Lease } from "../lease.js";
import { isAlive, NOW_NS } from "../repositories/clock.js";

/** So many tenants have samples of their own, those with the most media nodes; the rest are added up. */
const MAX_TENANTS = 100;
const REST = "other";

export interface FleetSamples {
  readonly containers: readonly Sample[];
  readonly capacity: readonly Sample[];
}

/** So long a tenant without a live node is shown with 0, in nanoseconds: what is not shown at all raises no alarm. */
const REMEMBERED_NS = "3600000000000";
const CONTAINERS = `SELECT h.tenant, COUNT(CASE WHEN ${isAlive("h")} THEN 1 END) AS amount FROM container_heartbeat h
  WHERE h.heartbeat > ${NOW_NS} - ${REMEMBERED_NS} GROUP BY h.tenant ORDER BY amount DESC, h.tenant`;
/** What is kept for placement: to sum up all routers would cost more than a metric may. */
const LOADS = `SELECT h.tenant, SUM(w.capacity) AS capacity, SUM(w.used) AS used
  FROM container_heartbeat h JOIN worker_load w ON w.container_id = h.container_id
  WHERE ${isAlive("h")} GROUP BY h.tenant`;
const RESERVED = `SELECT h.tenant, p.role, SUM(p.amount) AS amount
  FROM placement_reservation p JOIN container_heartbeat h ON h.container_id = p.container_id
  WHERE ${isAlive("h")} GROUP BY h.tenant, p.role`;

type Amount = number | string | null;
interface ContainersRow {
  readonly tenant: string | null;
  readonly amount: Amount;
}
interface LoadRow {
  readonly tenant: string | null;
  readonly capacity: Amount;
  readonly used: Amount;
}
interface ReservedRow extends ContainersRow {
  readonly role: string;
}

/** Live media nodes, 0 where the last one died within the hour, and what they may carry, carry and have promised, by tenant. */
export async function readFleet(lease: Lease): Promise<FleetSamples> {
  const ask = async <Row>(sql: string) => (await lease.promise().query(sql))[0] as Row[];
  const containers = await ask<ContainersRow>(CONTAINERS);
  const loads = await ask<LoadRow>(LOADS);
  const reserved = await ask<ReservedRow>(RESERVED);
  return toSamples(containers, loads, reserved);
}

/** `containers`: in descending order of their number. */
export function toSamples(
  containers: readonly ContainersRow[],
  loads: readonly LoadRow[],
  reserved: readonly ReservedRow[],
): FleetSamples {
  const named = new Set(containers.slice(0, MAX_TENANTS).map(({ tenant }) => tenant));
  const of = (tenant: string | null) => {
    const name = named.has(tenant) ? tenant : REST;
    return name === null ? {} : { tenant: name };
  };
  const [nodes, capacity] = [new Sums(), new Sums()];
  for (const { tenant, amount } of containers) nodes.add(of(tenant), amount);
  for (const { tenant, capacity: limit, used } of loads) {
    capacity.add({ ...of(tenant), state: "limit" }, limit);
    capacity.add({ ...of(tenant), state: "used" }, used);
  }
  for (const { tenant, role, amount } of reserved) {
    capacity.add({ ...of(tenant), state: "reserved", role: role === "producer" ? role : "consumer" }, amount);
    // A worker's load counts both.
    capacity.add({ ...of(tenant), state: "used" }, -Number(amount));
  }
  return { containers: nodes.samples(), capacity: capacity.samples() };
}

/** Values added up by their attributes. */
class Sums {
  readonly #samples = new Map<string, { value: number; readonly attributes: Record<string, string> }>();

  add(attributes: Record<string, string>, amount: Amount): void {
    const key = JSON.stringify(attributes);
    const sample = this.#samples.get(key) ?? { value: 0, attributes };
    sample.value += Number(amount);
    this.#samples.set(key, sample);
  }

  samples(): readonly Sample[] {
    return [...this.#samples.values()];
  }
}
