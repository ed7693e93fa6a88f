import type { Database } from "./database.js";
import type { Choice } from "./placement.js";

/** What one reservation holds on one worker. */
export interface Reserved {
  readonly workerId: string;
  readonly containerId: string;
  readonly role: "producer" | "consumer";
  readonly amount: number;
}

/** How many expired reservations one call clears away. */
const SWEPT_AT_ONCE = 100;

/** Promises the room of `choice`; false when a worker has it no more, and then the transaction must be undone. */
export async function addReservation(
  database: Database,
  reservationId: string,
  choice: Choice,
  expiresAt: Date,
): Promise<boolean> {
  const row = (role: Reserved["role"]) => (share: Choice["producer"]) =>
    [reservationId, share.workerId, choice.containerId, role, share.capacity, expiresAt] as const;
  const rows = [row("producer")(choice.producer), ...choice.consumers.map(row("consumer"))];
  await database.execute(
    "INSERT INTO placement_reservation (reservation_id, worker_id, container_id, role, amount, expires_at) VALUES ?",
    [rows],
  );
  const { affectedRows } = await database.execute(
    `UPDATE placement_reservation p STRAIGHT_JOIN worker_load w ON w.worker_id = p.worker_id
     SET w.used = w.used + p.amount
     WHERE p.reservation_id = ? AND w.used + p.amount <= w.capacity`,
    [reservationId],
  );
  return affectedRows === rows.length;
}

/**
 * Takes reservations back and returns what they held, expired ones apart. Run it in a transaction.
 * The containers are locked first, as everyone does who changes loads.
 */
export async function dropReservations(database: Database, reservationIds: readonly string[]): Promise<Reserved[]> {
  if (reservationIds.length === 0) return [];
  const containers = await database.query<{ id: string }>(
    "SELECT DISTINCT container_id AS id FROM placement_reservation WHERE reservation_id IN (?)",
    [reservationIds],
  );
  if (containers.length === 0) return [];
  await lockContainers(
    database,
    containers.map(({ id }) => id),
  );
  const rows = await database.query<Reserved & { expired: number | string }>(
    `SELECT worker_id AS workerId, container_id AS containerId, role, amount, expires_at <= UTC_TIMESTAMP(3) AS expired
     FROM placement_reservation WHERE reservation_id IN (?) ORDER BY reservation_id, worker_id FOR UPDATE`,
    [reservationIds],
  );
  await database.execute(
    `UPDATE worker_load w JOIN (
       SELECT worker_id, SUM(amount) AS amount FROM placement_reservation WHERE reservation_id IN (?) GROUP BY worker_id
     ) AS p ON p.worker_id = w.worker_id
     SET w.used = w.used - p.amount`,
    [reservationIds],
  );
  await database.execute("DELETE FROM placement_reservation WHERE reservation_id IN (?)", [reservationIds]);
  return rows.filter(({ expired }) => Number(expired) === 0).map(({ expired: _, ...held }) => held);
}

/** Clears away what has expired by the database's clock, and tells how many reservations that were. */
export async function sweepReservations(database: Database): Promise<number> {
  const expired = await database.query<{ id: string }>(
    `SELECT DISTINCT reservation_id AS id FROM placement_reservation
     WHERE expires_at <= UTC_TIMESTAMP(3) LIMIT ${SWEPT_AT_ONCE}`,
  );
  const ids = expired.map(({ id }) => id).sort();
  if (ids.length > 0) await database.transaction((tx) => dropReservations(tx, ids));
  return ids.length;
}

/** Sorted, so that no two wait for each other. */
export async function lockContainers(database: Database, containerIds: readonly string[]): Promise<void> {
  await database.query(
    "SELECT container_id FROM container_load WHERE container_id IN (?) ORDER BY container_id FOR UPDATE",
    [containerIds],
  );
}
