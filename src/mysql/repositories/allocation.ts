import { randomUUID } from "node:crypto";
import { NoCapacityError } from "../../errors.js";
import { isAlive } from "./clock.js";
import type { Database } from "./database.js";
import { groupBy } from "./groupBy.js";
import { type Candidate, type Choice, checkChoice, type Demand, type PlacementStrategy } from "./placement.js";
import { addReservation } from "./reservations.js";

export interface Allocation extends Choice {
  /** Hand it to `meetings.create`, to `confirm` or to `release`. */
  readonly reservationId: string;
  readonly host: string;
  /** By the database's clock. */
  readonly expiresAt: Date;
}

export interface AllocationRequest extends Demand {
  readonly tenant: string;
  readonly ttlMs: number;
  readonly strategy: PlacementStrategy;
}

/** How many media nodes a strategy is shown at once. */
const CANDIDATES = 8;
/** What lost a race may have room again; after so many looks over the whole fleet that is not believed any more. */
const PASSES = 3;

export interface CandidateQuery {
  readonly tenant: string;
  readonly demand: Demand;
  /** The fullest first, or the emptiest. */
  readonly order: "ASC" | "DESC";
  readonly except: readonly string[];
  /** Whether producers and consumers need not be kept apart: then only the sum counts. */
  readonly anyWorker?: boolean;
}

/**
 * Chooses and reserves in turn until both succeed, so nobody is refused because someone else was faster.
 * @throws NoCapacityError
 */
export async function allocateRoom(database: Database, request: AllocationRequest): Promise<Allocation> {
  const { tenant, strategy, producerCapacity, consumerCapacity } = request;
  for (let pass = 0; pass < PASSES; pass += 1) {
    const except: string[] = [];
    for (;;) {
      const candidates = await findCandidates(database, { tenant, demand: request, order: "ASC", except });
      if (candidates.length === 0) break;
      const chosen = strategy(candidates, request);
      const candidate = candidates.find(({ containerId }) => containerId === chosen?.containerId);
      const allocation = candidate && (await reserve(database, candidate, request));
      if (allocation) return allocation;
      except.push(...(candidate ? [candidate.containerId] : candidates.map(({ containerId }) => containerId)));
    }
    if (except.length === 0) break;
  }
  throw new NoCapacityError(tenant, `${producerCapacity} producer and ${consumerCapacity} consumer streams`);
}

/**
 * A worker takes the producers, and the others together have room for the consumers. What the index holds comes first: it
 * lets most nodes that lack such room be passed over by the index alone. A full worker takes no producer, unless of no capacity.
 */
const ROOM_APART = `AND l.largest_room >= ? AND (? = 0 OR l.free - l.smallest_room >= ?) AND EXISTS (
  SELECT 1 FROM worker_load w FORCE INDEX (idx_worker_load_room) WHERE w.container_id = l.container_id
  AND w.capacity - w.used >= ? AND l.free - (w.capacity - w.used) >= ?
)`;

/** Live media nodes that can take the demand, by what they have left. */
export async function findCandidates(database: Database, query: CandidateQuery): Promise<Candidate[]> {
  const { tenant, demand, order, except, anyWorker = false } = query;
  const { producerCapacity, consumerCapacity } = demand;
  // The order of the tables is fixed: with the index first there is nothing to sort, and the first few rows suffice.
  const nodes = await database.query<{ containerId: string; host: string }>(
    `SELECT STRAIGHT_JOIN l.container_id AS containerId, h.host
     FROM container_load l FORCE INDEX (idx_container_load_tenant_free)
     JOIN container_heartbeat h ON h.container_id = l.container_id
     LEFT JOIN container_status s ON s.container_id = l.container_id
     WHERE l.tenant = ? AND l.free >= ? ${except.length > 0 ? "AND l.container_id NOT IN (?)" : ""}
       AND h.host IS NOT NULL AND ${isAlive("h")} AND COALESCE(s.status, 1) <> 0
       ${anyWorker ? "" : ROOM_APART}
     ORDER BY l.free ${order}, l.container_id ${order} LIMIT ${CANDIDATES}`,
    [
      tenant,
      producerCapacity + consumerCapacity,
      ...(except.length > 0 ? [except] : []),
      ...(anyWorker ? [] : [producerCapacity, producerCapacity, consumerCapacity, producerCapacity, consumerCapacity]),
    ],
  );
  if (nodes.length === 0) return [];
  const workers = await database.query<WorkerRow>(`${WORKERS} WHERE w.container_id IN (?) ORDER BY w.worker_id`, [
    nodes.map(({ containerId }) => containerId),
  ]);
  const rooms = groupBy(workers, ({ containerId }) => containerId);
  return nodes.map((node) => toCandidate(node, rooms.get(node.containerId) ?? []));
}

const WORKERS = "SELECT w.worker_id AS workerId, w.container_id AS containerId, w.capacity, w.used FROM worker_load w";

interface WorkerRow {
  readonly workerId: string;
  readonly containerId: string;
  readonly capacity: number;
  readonly used: string;
}

function toCandidate(
  { containerId, host }: { containerId: string; host: string },
  rows: readonly WorkerRow[],
): Candidate {
  const workers = rows.map(({ workerId, capacity, used }) => ({ workerId, capacity, used: Number(used) }));
  return { containerId, host, workers };
}

/** Undefined when the media node has no room any more. */
function reserve(database: Database, seen: Candidate, request: AllocationRequest): Promise<Allocation | undefined> {
  return database.transaction(async (tx) => {
    const current = await lockCandidate(tx, seen, request.ttlMs);
    const chosen = current && request.strategy([current.candidate], request);
    if (!chosen) return undefined;
    const choice = checkChoice(chosen, current.candidate, request);
    const [reservationId, { expiresAt }] = [randomUUID(), current];
    // Within the locks nobody can have been faster; the condition in the UPDATE guards against what writes without them.
    const kept = await addReservation(tx, reservationId, choice, expiresAt);
    if (!kept) throw new NoCapacityError(request.tenant, "what was just counted: another program writes worker_load");
    return { ...choice, reservationId, host: seen.host, expiresAt };
  });
}

/** Locks the node, then its workers; reads what they are now, whatever the transaction has seen before. */
async function lockCandidate(tx: Database, { containerId, host }: Candidate, ttlMs: number) {
  const rows = await tx.query<WorkerRow & { expiresAt: Date }>(
    `SELECT w.worker_id AS workerId, w.container_id AS containerId, w.capacity, w.used,
       UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND AS expiresAt
     FROM container_load l STRAIGHT_JOIN worker_load w FORCE INDEX (idx_worker_load_container)
       ON w.container_id = l.container_id
     WHERE l.container_id = ? ORDER BY w.worker_id FOR UPDATE`,
    [ttlMs * 1_000, containerId],
  );
  const [first] = rows;
  return first && { candidate: toCandidate({ containerId, host }, rows), expiresAt: first.expiresAt };
}
