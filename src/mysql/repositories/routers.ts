import { IdTakenError, InvalidInputError, WorkerNotFoundError } from "../../errors.js";
import { checkId } from "../../ids.js";
import { type Database, isDuplicate } from "./database.js";
import { checkDistinct, checkWhole } from "./input.js";
import type { Reserved } from "./reservations.js";

const CAPACITIES = ["producerCapacity", "consumerCapacity", "capacity"] as const;

/** A router to be entered. Exactly one capacity is set: it says what the router is for. In streams. */
export interface NewRouter {
  readonly routerId: string;
  readonly workerId: string;
  readonly producerCapacity?: number;
  readonly consumerCapacity?: number;
  /** Of a router for both. */
  readonly capacity?: number;
}

/** @throws InvalidInputError, also for two routers on one worker: the media server would lose one of them */
export function checkRouters(routers: readonly NewRouter[]): void {
  if (routers.length === 0) throw new InvalidInputError("routers", "must not be empty");
  for (const router of routers) {
    checkId("routerId", router.routerId);
    checkId("workerId", router.workerId);
    const given = CAPACITIES.filter((name) => router[name] !== undefined);
    if (given.length !== 1) throw new InvalidInputError("routers", `must each have one of ${CAPACITIES.join(", ")}`);
    for (const name of given) checkWhole(name, router[name]);
  }
  checkDistinct(
    "routerId",
    routers.map(({ routerId }) => routerId),
  );
  checkDistinct(
    "workerId",
    routers.map(({ workerId }) => workerId),
  );
}

/**
 * Enters the routers of a meeting on a media node. Run it in a transaction.
 * @throws WorkerNotFoundError when the media node has no such worker
 * @throws IdTakenError when a router id is in use
 */
export async function insertRouters(
  database: Database,
  { meetingId, containerId, routers }: { meetingId: string; containerId: string; routers: readonly NewRouter[] },
): Promise<void> {
  await requireWorkers(database, containerId, routers);
  // Sorted, so that two that share workers wait for each other in one order.
  const sorted = [...routers].sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
  try {
    await database.execute("INSERT INTO router_worker (worker_id, router_id) VALUES ?", [
      sorted.map(({ workerId, routerId }) => [workerId, routerId]),
    ]);
  } catch (error) {
    throw isDuplicate(error) ? new IdTakenError("routerId", { cause: error }) : error;
  }
  await database.execute(
    `INSERT INTO router_meeting (router_id, meeting_id, producer_capacity, consumer_capacity, capacity, container_id)
     VALUES ?`,
    [
      sorted.map((router) => [
        router.routerId,
        meetingId,
        ...CAPACITIES.map((name) => router[name] ?? null),
        containerId,
      ]),
    ],
  );
}

async function requireWorkers(database: Database, containerId: string, routers: readonly NewRouter[]): Promise<void> {
  const workerIds = routers.map(({ workerId }) => workerId);
  const found = await database.query<{ id: string }>(
    `SELECT worker_id AS id FROM worker_container WHERE worker_id IN (?) AND container_id = ?
     ORDER BY worker_id LOCK IN SHARE MODE`,
    [workerIds, containerId],
  );
  const known = new Set(found.map(({ id }) => id));
  const missing = workerIds.find((id) => !known.has(id));
  if (missing !== undefined) throw new WorkerNotFoundError(missing, containerId);
}

/**
 * Removes participants and routers of a meeting, children first, and leaves the meeting. Run it in a transaction.
 * Not left to cascades: MySQL 9.7 loses rows in those of several levels.
 */
export async function deleteContents(database: Database, meetingId: string): Promise<void> {
  await database.execute("DELETE FROM participant_meeting WHERE meeting_id = ?", [meetingId]);
  const routers = await database.query<{ id: string }>(
    "SELECT router_id AS id FROM router_meeting WHERE meeting_id = ? ORDER BY router_id FOR UPDATE",
    [meetingId],
  );
  if (routers.length === 0) return;
  const ids = routers.map(({ id }) => id);
  await database.execute("DELETE FROM router_meeting WHERE router_id IN (?)", [ids]);
  await database.execute("DELETE FROM router_worker WHERE router_id IN (?)", [ids]);
}

/** @throws InvalidInputError when the routers ask for more than was reserved on their workers */
export function checkReserved(routers: readonly NewRouter[], reserved: readonly Reserved[]): void {
  const held = new Map(reserved.map(({ workerId, amount }) => [workerId, amount]));
  for (const { workerId, producerCapacity = 0, consumerCapacity = 0, capacity = 0 } of routers) {
    if (producerCapacity + consumerCapacity + capacity <= (held.get(workerId) ?? -1)) continue;
    throw new InvalidInputError("routers", `ask for more than is reserved on worker ${JSON.stringify(workerId)}`);
  }
}
