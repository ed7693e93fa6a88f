import {
  ContainerNotAliveError,
  HostNotFoundError,
  MeetingNotFoundError,
  ReservationNotFoundError,
} from "../../errors.js";
import { checkId, checkMeetingId } from "../../ids.js";
import { isAlive } from "./clock.js";
import { type Database, isDuplicate } from "./database.js";
import { checkWhole } from "./input.js";
import { describeMeeting, type MeetingDescription } from "./meetingDescription.js";
import { type NodeConfiguration, readConfiguration } from "./nodeConfiguration.js";
import { sweepOrphans } from "./orphans.js";
import type { Demand } from "./placement.js";
import { dropReservations } from "./reservations.js";
import { checkReserved, checkRouters, deleteContents, insertRouters, type NewRouter } from "./routers.js";

export interface NewMeeting {
  readonly meetingId: string;
  readonly containerId: string;
  readonly routers: readonly NewRouter[];
  /** Confirmed in the same transaction, so that its room is never counted twice nor free in between. */
  readonly reservationId?: string;
}

export interface Replace {
  readonly meetingId: string;
  /** The media node that the caller believes dead. */
  readonly fromContainerId: string;
  readonly toContainerId: string;
  readonly routers: readonly NewRouter[];
  readonly reservationId?: string;
}

/** What came of `replace`; all but `replaced` have changed nothing. */
export type ReplaceOutcome =
  | { readonly outcome: "replaced" }
  /** Someone else was faster: the meeting is on `containerId` now, or nowhere. */
  | { readonly outcome: "lost"; readonly containerId: string | null }
  /** The media node is heard of again and keeps its meeting. */
  | { readonly outcome: "still-alive" };

/** Meetings, and where they are. */
export class MeetingRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * What a meeting of so many people needs, in streams: each publisher sends two, and everyone receives those of all.
   * Source: the founding document's 2·P and 2·P·(P+C).
   */
  calculateCapacity({ publishers, viewers }: { readonly publishers: number; readonly viewers: number }): Demand {
    const [p, c] = [checkWhole("publishers", publishers), checkWhole("viewers", viewers)];
    return { producerCapacity: 2 * p, consumerCapacity: checkWhole("publishers and viewers", 2 * p * (p + c)) };
  }

  /**
   * Enters a meeting with its routers, all or nothing. When it is there already nothing changes, and a reservation stays.
   * @throws WorkerNotFoundError, IdTakenError
   * @throws ReservationNotFoundError when it was confirmed, released or has expired
   * @throws InvalidInputError also when the routers ask for more than is reserved
   */
  async create(meeting: NewMeeting): Promise<"created" | "already-exists"> {
    const { meetingId, routers } = checkPlace(meeting, meeting.containerId);
    return this.#database.transaction(async (tx) => {
      if (!(await insertMeeting(tx, meetingId))) return "already-exists";
      if (meeting.reservationId !== undefined) await takeReservation(tx, meeting.reservationId, routers);
      await insertRouters(tx, meeting);
      return "created";
    });
  }

  async exists(meetingId: string): Promise<boolean> {
    const id = checkMeetingId("meetingId", meetingId);
    return (await this.#database.query("SELECT 1 FROM meeting_status WHERE meeting_id = ?", [id])).length > 0;
  }

  /**
   * The host of the media node that the meeting is on.
   * @throws MeetingNotFoundError
   * @throws HostNotFoundError when the meeting is there but no host for it is recorded
   */
  async findHost(meetingId: string): Promise<string> {
    return findPlace(this.#database, checkMeetingId("meetingId", meetingId), "host");
  }

  /**
   * The media node that the meeting is on.
   * @throws MeetingNotFoundError
   * @throws HostNotFoundError when the meeting is there but no media node for it is recorded
   */
  async findContainerId(meetingId: string): Promise<string> {
    return findPlace(this.#database, checkMeetingId("meetingId", meetingId), "containerId");
  }

  /**
   * Everything of a meeting, as of one moment, in flat lists.
   * @throws MeetingNotFoundError
   */
  async describe(meetingId: string): Promise<MeetingDescription> {
    return describeMeeting(this.#database, checkMeetingId("meetingId", meetingId));
  }

  /**
   * What another media node must rebuild to take this one's place.
   * @throws ContainerNotFoundError
   */
  async configurationOf(containerId: string): Promise<NodeConfiguration> {
    return readConfiguration(this.#database, checkId("containerId", containerId));
  }

  /**
   * Moves a meeting off a dead media node, once however many try. Its participants are removed: what they had on the
   * dead node is gone, and they join again.
   * @throws MeetingNotFoundError, WorkerNotFoundError, IdTakenError, ReservationNotFoundError
   * @throws ContainerNotAliveError when `toContainerId` is not alive either
   */
  async replace(move: Replace): Promise<ReplaceOutcome> {
    const { meetingId, routers } = checkPlace(move, move.toContainerId);
    const from = checkId("fromContainerId", move.fromContainerId);
    return this.#database.transaction(async (tx) => {
      const containerId = await lockPlace(tx, meetingId);
      if (containerId !== from) return { outcome: "lost", containerId };
      if (await isLockedAlive(tx, from)) return { outcome: "still-alive" };
      if (!(await isLockedAlive(tx, move.toContainerId))) throw new ContainerNotAliveError(move.toContainerId);
      await deleteContents(tx, meetingId);
      if (move.reservationId !== undefined) await takeReservation(tx, move.reservationId, routers);
      await insertRouters(tx, { meetingId, containerId: move.toContainerId, routers });
      return { outcome: "replaced" };
    });
  }

  /** Removes a meeting and everything in it. */
  async end(meetingId: string): Promise<"ended" | "not-found"> {
    const id = checkMeetingId("meetingId", meetingId);
    return this.#database.transaction(async (tx) => {
      if (!(await lockMeeting(tx, id))) return "not-found";
      await deleteContents(tx, id);
      await tx.execute("DELETE FROM meeting_status WHERE meeting_id = ?", [id]);
      return "ended";
    });
  }

  /** Removes rows whose parents are gone, as older versions left them, and tells how many from each table. Reads all tables. */
  sweepOrphans(): Promise<ReadonlyMap<string, number>> {
    return sweepOrphans(this.#database);
  }
}

function checkPlace<T extends Pick<NewMeeting, "meetingId" | "routers" | "reservationId">>(
  place: T,
  container: string,
): T {
  checkMeetingId("meetingId", place.meetingId);
  checkId("containerId", container);
  if (place.reservationId !== undefined) checkId("reservationId", place.reservationId);
  checkRouters(place.routers);
  return place;
}

async function insertMeeting(tx: Database, meetingId: string): Promise<boolean> {
  try {
    await tx.execute("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

async function takeReservation(tx: Database, reservationId: string, routers: readonly NewRouter[]): Promise<void> {
  const reserved = await dropReservations(tx, [reservationId]);
  if (reserved.length === 0) throw new ReservationNotFoundError(reservationId);
  checkReserved(routers, reserved);
}

interface Place {
  readonly containerId: string | null;
  readonly host: string | null;
}

/** One row for each router: a meeting has few. The worker tells the node; older rows may know it only by the copy. */
const PLACES = `SELECT COALESCE(w.container_id, m.container_id) AS containerId, h.host
  FROM meeting_status s
  LEFT JOIN router_meeting m ON m.meeting_id = s.meeting_id
  LEFT JOIN router_worker r ON r.router_id = m.router_id
  LEFT JOIN worker_container w ON w.worker_id = r.worker_id
  LEFT JOIN container_heartbeat h ON h.container_id = COALESCE(w.container_id, m.container_id)
  WHERE s.meeting_id = ? ORDER BY m.router_id`;

async function findPlace(database: Database, meetingId: string, what: keyof Place): Promise<string> {
  const places = await database.query<Place>(PLACES, [meetingId]);
  if (places.length === 0) throw new MeetingNotFoundError(meetingId);
  // An empty host leads nowhere, as none does.
  const found = places.find((place) => place[what])?.[what];
  if (!found) throw new HostNotFoundError(meetingId);
  return found;
}

async function lockMeeting(tx: Database, meetingId: string): Promise<boolean> {
  const sql = "SELECT 1 FROM meeting_status WHERE meeting_id = ? FOR UPDATE";
  return (await tx.query(sql, [meetingId])).length > 0;
}

/** Reads what is true now, whatever this transaction has read before. */
async function lockPlace(tx: Database, meetingId: string): Promise<string | null> {
  if (!(await lockMeeting(tx, meetingId))) throw new MeetingNotFoundError(meetingId);
  const routers = await tx.query<{ containerId: string | null }>(
    `SELECT COALESCE(w.container_id, m.container_id) AS containerId
     FROM router_meeting m LEFT JOIN router_worker r ON r.router_id = m.router_id
     LEFT JOIN worker_container w ON w.worker_id = r.worker_id
     WHERE m.meeting_id = ? ORDER BY m.router_id LOCK IN SHARE MODE`,
    [meetingId],
  );
  return routers[0]?.containerId ?? null;
}

/** Whether the media node is alive, and keeps a heartbeat from changing that until the transaction ends. */
async function isLockedAlive(tx: Database, containerId: string): Promise<boolean> {
  const [row] = await tx.query<{ alive: unknown }>(
    `SELECT COALESCE(${isAlive("h")}, 0) AS alive FROM container_heartbeat h WHERE h.container_id = ? LOCK IN SHARE MODE`,
    [containerId],
  );
  return Number(row?.alive ?? 0) === 1;
}
