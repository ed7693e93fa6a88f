import {
  ContainerInUseError,
  ContainerNotFoundError,
  IdTakenError,
  InvalidInputError,
  ReservationNotFoundError,
} from "../../errors.js";
import { checkId } from "../../ids.js";
import { type Allocation, allocateRoom } from "./allocation.js";
import { ALIVE_MS, NOW_NS } from "./clock.js";
import type { Database } from "./database.js";
import { type FleetContainer, type FleetContainerDetails, findStale, listContainers } from "./fleetLists.js";
import { type FleetOverview, overviewFleet } from "./fleetOverview.js";
import { checkDistinct, checkName, checkWhole } from "./input.js";
import { recountLoads } from "./loads.js";
import { bestFit, type Demand, type PlacementStrategy } from "./placement.js";
import { findReplacement, type Replacement } from "./replacement.js";
import { dropReservations, sweepReservations } from "./reservations.js";

const RESERVED_FOR_MS = 30_000;
const MAX_OVERVIEW = 10_000;

export interface AllocateOptions extends Demand {
  readonly tenant: string;
  /** How long the reservation holds unless it is confirmed or released. Default 30,000 ms. */
  readonly reservationMs?: number;
  /** Default: `bestFit`. */
  readonly strategy?: PlacementStrategy;
}

/** Media nodes and what they carry. Capacities are counted in streams. */
export class FleetRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Enters a media node and its workers, alive from now on by the database's clock. Repeating it is harmless.
   * @throws IdTakenError when a worker belongs to another media node
   */
  async registerContainer(node: {
    readonly containerId: string;
    readonly host: string;
    readonly tenant: string;
    readonly workerIds: readonly string[];
  }): Promise<void> {
    const containerId = checkId("containerId", node.containerId);
    const [host, tenant] = [checkName("host", node.host), checkName("tenant", node.tenant)];
    const workerIds = node.workerIds.map((id) => checkId("workerIds", id)).sort();
    checkDistinct("workerIds", workerIds);
    await this.#database.transaction(async (tx) => {
      await tx.execute(
        `INSERT INTO container_heartbeat (container_id, host, tenant, heartbeat) VALUES (?, ?, ?, ${NOW_NS})
         ON DUPLICATE KEY UPDATE host = VALUES(host), tenant = VALUES(tenant), heartbeat = VALUES(heartbeat)`,
        [containerId, host, tenant],
      );
      await addWorkers(tx, containerId, workerIds);
    });
  }

  /**
   * Says that the media node lives, by the database's clock.
   * @throws ContainerNotFoundError when it is not registered
   */
  async recordHeartbeat(containerId: string): Promise<void> {
    const { affectedRows } = await this.#database.execute(
      `UPDATE container_heartbeat SET heartbeat = ${NOW_NS} WHERE container_id = ?`,
      [checkId("containerId", containerId)],
    );
    if (affectedRows === 0) throw new ContainerNotFoundError(containerId);
  }

  /**
   * Forgets a media node and its workers; not being there is no error, and is told.
   * @throws ContainerInUseError when routers are still on it
   */
  async removeContainer(containerId: string): Promise<"removed" | "not-found"> {
    const id = checkId("containerId", containerId);
    return this.#database.transaction(async (tx) => {
      const [router] = await tx.query(
        `SELECT 1 FROM worker_container w JOIN router_worker r ON r.worker_id = w.worker_id
         WHERE w.container_id = ? LIMIT 1 FOR UPDATE`,
        [id],
      );
      if (router) throw new ContainerInUseError(id);
      let rows = 0;
      for (const table of ["worker_container", "placement_reservation", "container_status", "container_heartbeat"]) {
        rows += (await tx.execute(`DELETE FROM ${table} WHERE container_id = ?`, [id])).affectedRows;
      }
      await tx.execute("DELETE FROM container_load WHERE container_id = ?", [id]);
      return rows > 0 ? "removed" : "not-found";
    });
  }

  /**
   * Whether meetings may be placed on the media node; without a status they may.
   * @throws ContainerNotFoundError when it is not registered
   */
  async setStatus(containerId: string, enabled: boolean): Promise<void> {
    const id = checkId("containerId", containerId);
    const { affectedRows } = await this.#database.execute(
      `INSERT INTO container_status (container_id, status)
       SELECT container_id, ? FROM container_heartbeat WHERE container_id = ?
       ON DUPLICATE KEY UPDATE status = VALUES(status)`,
      [enabled ? 1 : 0, id],
    );
    if (affectedRows === 0 && !(await this.#isRegistered(id))) throw new ContainerNotFoundError(id);
  }

  /** Every media node, or a tenant's, in the order of their ids. */
  async listContainers({ tenant }: { readonly tenant?: string } = {}): Promise<FleetContainerDetails[]> {
    return listContainers(this.#database, tenant === undefined ? undefined : checkName("tenant", tenant));
  }

  /**
   * How full the media nodes are: live ones first, and of each the `limit` (default 50, at most 10,000) with the least room left.
   * Five statements, each of its own moment.
   */
  async overview(request: { readonly tenant?: string; readonly limit?: number } = {}): Promise<FleetOverview> {
    const { tenant, limit = 50 } = request;
    const named = tenant === undefined ? undefined : checkName("tenant", tenant);
    if (checkWhole("limit", limit, 1) > MAX_OVERVIEW)
      throw new InvalidInputError("limit", `must be at most ${MAX_OVERVIEW}`);
    return overviewFleet(this.#database, { tenant: named, limit });
  }

  /** Media nodes without a heartbeat for longer than `olderThanMs` (default 10,000), or with one from the future. */
  async findStaleContainers({
    tenant,
    olderThanMs = ALIVE_MS,
  }: {
    readonly tenant?: string;
    readonly olderThanMs?: number;
  } = {}): Promise<FleetContainer[]> {
    const named = tenant === undefined ? undefined : checkName("tenant", tenant);
    return findStale(this.#database, named, checkWhole("olderThanMs", olderThanMs));
  }

  /**
   * Finds room for a meeting on a live media node of the tenant and reserves it: producers on one worker, consumers on others.
   * @throws NoCapacityError when there is no room; nothing is reserved
   */
  async allocate(options: AllocateOptions): Promise<Allocation> {
    const request = {
      tenant: checkName("tenant", options.tenant),
      producerCapacity: checkWhole("producerCapacity", options.producerCapacity),
      consumerCapacity: checkWhole("consumerCapacity", options.consumerCapacity),
      ttlMs: checkWhole("reservationMs", options.reservationMs ?? RESERVED_FOR_MS, 1),
      strategy: options.strategy ?? bestFit,
    };
    await sweepReservations(this.#database);
    return allocateRoom(this.#database, request);
  }

  /**
   * Ends a reservation whose rows someone else has written by now; `meetings.create` does it by itself.
   * @throws ReservationNotFoundError when it was confirmed, released or has expired
   */
  async confirm(reservationId: string): Promise<void> {
    if ((await this.#drop(reservationId)) === 0) throw new ReservationNotFoundError(reservationId);
  }

  /** Gives reserved room back. */
  async release(reservationId: string): Promise<"released" | "not-found"> {
    return (await this.#drop(reservationId)) > 0 ? "released" : "not-found";
  }

  /**
   * The least loaded live media node with room for all routers of another, and a worker there for each of them.
   * Reserves nothing.
   * @throws ContainerNotFoundError when the other is not known
   * @throws NoCapacityError when no node has room for all
   */
  async findReplacement(request: { readonly tenant: string; readonly forContainerId: string }): Promise<Replacement> {
    const tenant = checkName("tenant", request.tenant);
    return findReplacement(this.#database, tenant, checkId("forContainerId", request.forContainerId));
  }

  /** Counts all loads anew: needed regularly only where the server refused the triggers. Reads the whole fleet. */
  recount(): Promise<void> {
    return recountLoads(this.#database);
  }

  async #drop(reservationId: string): Promise<number> {
    const id = checkId("reservationId", reservationId);
    return (await this.#database.transaction((tx) => dropReservations(tx, [id]))).length;
  }

  async #isRegistered(containerId: string): Promise<boolean> {
    const rows = await this.#database.query("SELECT 1 FROM container_heartbeat WHERE container_id = ?", [containerId]);
    return rows.length > 0;
  }
}

async function addWorkers(tx: Database, containerId: string, workerIds: readonly string[]): Promise<void> {
  if (workerIds.length === 0) return;
  await tx.execute(
    "INSERT INTO worker_container (container_id, worker_id) VALUES ? ON DUPLICATE KEY UPDATE worker_id = VALUES(worker_id)",
    [workerIds.map((workerId) => [containerId, workerId])],
  );
  const [taken] = await tx.query<{ id: string }>(
    `SELECT worker_id AS id FROM worker_container WHERE worker_id IN (?) AND NOT container_id <=> ?
     LIMIT 1 FOR UPDATE`,
    [workerIds, containerId],
  );
  if (taken) throw new IdTakenError(`workerIds: ${JSON.stringify(taken.id)}`);
}
