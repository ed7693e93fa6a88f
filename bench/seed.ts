import type { Pool } from "mysql2/promise";

const ROWS_AT_ONCE = 2_000;
export const TENANT = "bench";
export const KINDS = ["audio", "video"] as const;

/** An id as long as the UUIDs that the services use. */
export function idOf(...parts: readonly (string | number)[]): string {
  return parts.join("-").padEnd(36, "~");
}

export async function insert(raw: Pool, table: string, columns: string, rows: readonly unknown[][]): Promise<void> {
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    await raw.query(`INSERT INTO ${table} (${columns}) VALUES ?`, [rows.slice(first, first + ROWS_AT_ONCE)]);
  }
}

export const WORKERS_PER_NODE = 4;

/**
 * Media nodes of four workers with five routers each, of two meetings: some nearly empty, some nearly full, evenly
 * between. The same at every run.
 */
export async function seedFleet(raw: Pool, nodes: number): Promise<void> {
  const random = randomNumbers(nodes);
  const range = Array.from({ length: nodes }, (_, node) => node);
  const workers = Array.from({ length: WORKERS_PER_NODE }, (_, worker) => worker);
  await insert(
    raw,
    "container_heartbeat",
    "container_id, host, tenant, heartbeat",
    range.map((node) => [idOf("node", node), `10.0.${node >> 8}.${node & 255}`, TENANT, 0]),
  );
  await insert(
    raw,
    "worker_container",
    "container_id, worker_id",
    range.flatMap((node) => workers.map((worker) => [idOf("node", node), idOf("worker", node, worker)])),
  );
  await insert(
    raw,
    "meeting_status",
    "meeting_id, enabled",
    range.flatMap((node) => [0, 1].map((meeting) => [idOf("filler", node, meeting), 1])),
  );
  const routers = range.flatMap((node) => {
    const fullness = random();
    return Array.from({ length: 5 }, (_, router) => ({ node, router, ...fillerRouter(router, fullness, random()) }));
  });
  await insert(
    raw,
    "router_worker",
    "worker_id, router_id",
    routers.map(({ node, router, worker }) => [idOf("worker", node, worker), idOf("router", node, router)]),
  );
  await insert(
    raw,
    "router_meeting",
    "router_id, meeting_id, producer_capacity, consumer_capacity, container_id",
    routers.map(({ node, router, meeting, producer, capacity }) => [
      idOf("router", node, router),
      idOf("filler", node, meeting),
      producer ? capacity : null,
      producer ? null : capacity,
      idOf("node", node),
    ]),
  );
}

/** The first meeting has the routers 0 to 2, the second 3 and 4; worker 0 holds routers of both. */
function fillerRouter(router: number, fullness: number, jitter: number) {
  const worker = router % WORKERS_PER_NODE;
  const share = worker === 0 ? 250 : 500;
  const capacity = Math.floor(share * Math.min(1, Math.max(0, fullness + (jitter - 0.5) / 4)));
  return { worker, meeting: router < 3 ? 0 : 1, producer: router === 0 || router === 3, capacity };
}

/** Mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All media nodes are heard of now; they count as alive for ten seconds. */
export async function beat(raw: Pool): Promise<void> {
  await raw.query("UPDATE container_heartbeat SET heartbeat = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) * 1000");
}

export interface SeededMeeting {
  readonly name: string;
  readonly meetingId: string;
  readonly participantIds: readonly string[];
}

/** A meeting on node 0: everyone sends audio and video and, if `consuming`, receives that of all others. */
export async function seedMeeting(
  raw: Pool,
  { name, people, routers, consuming = true }: { name: string; people: number; routers: number; consuming?: boolean },
): Promise<SeededMeeting> {
  const meetingId = idOf("meeting", name);
  const routerIds = Array.from({ length: routers }, (_, router) => idOf("router", name, router));
  const participantIds = Array.from({ length: people }, (_, person) => idOf("person", name, person));
  await insert(raw, "meeting_status", "meeting_id, enabled", [[meetingId, 1]]);
  await insert(
    raw,
    "router_worker",
    "worker_id, router_id",
    routerIds.map((id, router) => [idOf("worker", 0, router % WORKERS_PER_NODE), id]),
  );
  await insert(
    raw,
    "router_meeting",
    "router_id, meeting_id, producer_capacity, consumer_capacity, container_id",
    routerIds.map((id, router) => [id, meetingId, router === 0 ? 0 : null, router === 0 ? null : 0, idOf("node", 0)]),
  );
  await seedPeople(raw, meetingId, participantIds, routerIds);
  const meeting = { name, meetingId, participantIds };
  const rows = consuming ? participantIds.flatMap((_, person) => consumerRows(meeting, person)) : [];
  await insert(raw, "participant_consumers", CONSUMER_COLUMNS, rows);
  return meeting;
}

async function seedPeople(raw: Pool, meetingId: string, ids: readonly string[], routerIds: readonly string[]) {
  const [producerRouter, ...consumerRouters] = routerIds;
  const each = (row: (id: string, person: number) => unknown[]) => ids.map(row);
  const suffixed = (role: string) => each((id) => [id, transportOf(role, id)]);
  await insert(
    raw,
    "participant_meeting",
    "meeting_id, participant_id, instance_id",
    each((id, person) => [meetingId, id, idOf("instance", person)]),
  );
  await insert(
    raw,
    "participant_producer_router",
    "participant_id, router_id",
    each((id) => [id, producerRouter]),
  );
  await insert(
    raw,
    "participant_consumer_router",
    "participant_id, router_id",
    each((id, person) => [id, consumerRouters[person % consumerRouters.length]]),
  );
  await insert(raw, "participant_producer_transport", "participant_id, transport_id", suffixed("send"));
  await insert(raw, "participant_consumer_transport", "participant_id, transport_id", suffixed("receive"));
  await insert(
    raw,
    "participant_producers",
    "participant_id, producers, kind, producer_id, meeting_id, transport_id",
    ids.flatMap((id) =>
      KINDS.map((kind) => [id, 1, kind, `${kind[0]}${id.slice(1)}`, meetingId, transportOf("send", id)]),
    ),
  );
}

export function transportOf(role: string, participantId: string): string {
  return `${role[0]}${participantId.slice(1)}`;
}

export const CONSUMER_COLUMNS =
  "participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id";

/** One person's consumers of both kinds of all the others. */
export function consumerRows(
  { name, meetingId, participantIds }: SeededMeeting,
  person: number,
): (string | number)[][] {
  const participantId = participantIds[person] as string;
  const transportId = transportOf("receive", participantId);
  return participantIds.flatMap((target, other) => {
    if (other === person) return [];
    return KINDS.map((kind) => {
      return [participantId, 1, target, kind, idOf(kind, name, person, other), meetingId, transportId];
    });
  });
}
