import {
  closeDataSource,
  createDataSource,
  type DataSource,
  openDataSource,
} from "../../../../src/mysql/dataSource.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { poolDatabase } from "../../../../src/mysql/repositories/database.js";
import { createRepositories, type Repositories } from "../../../../src/mysql/repositories/index.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig } from "../testDataSource.js";

/** The tables of a meeting, children first. */
export const MEETING_TABLES = [
  "participant_consumers",
  "participant_producers",
  "participant_consumer_transport",
  "participant_producer_transport",
  "participant_consumer_router",
  "participant_producer_router",
  "participant_meeting",
  "router_meeting",
  "router_worker",
  "meeting_status",
] as const;
const FLEET_TABLES = ["placement_reservation", "worker_container", "container_status", "container_heartbeat"] as const;

export interface Bench {
  readonly server: MysqlServer;
  readonly dataSource: DataSource;
  readonly repositories: Repositories;
  close(): Promise<void>;
}

/** A migrated server of its own. */
export async function openBench(maxConnections = 10): Promise<Bench> {
  const server = await startMysqlServer();
  const config = mysqlConfig(server.environment, { maxConnections, queryTimeoutMs: 20_000 });
  await runMigrations(config);
  const dataSource = createDataSource(config);
  await openDataSource(dataSource, 5_000);
  return {
    server,
    dataSource,
    repositories: createRepositories(poolDatabase(dataSource)),
    close: async () => {
      await closeDataSource(dataSource, 1_000);
      await server.stop();
    },
  };
}

/** Deletes every row, by plain statements. */
export async function empty(dataSource: DataSource): Promise<void> {
  for (const table of [...MEETING_TABLES, ...FLEET_TABLES]) await dataSource.query(`DELETE FROM ${table}`);
  await dataSource.query("DELETE FROM container_load");
}

/** How many rows each table of a meeting has; those without any are left out. */
export async function rowCounts(dataSource: DataSource): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of MEETING_TABLES) {
    const [row]: { n: string }[] = await dataSource.query(`SELECT COUNT(*) AS n FROM ${table}`);
    if (Number(row?.n) > 0) counts[table] = Number(row?.n);
  }
  return counts;
}

/** What the loads are and what they would be if they were counted. */
export async function loads(dataSource: DataSource): Promise<{ kept: unknown[]; counted: unknown[] }> {
  const plain = (rows: { id: string; n: string }[]) => rows.map(({ id, n }) => [id, Number(n)]);
  const rooms = (rows: { id: string; free: string; smallest_room: string; largest_room: string }[]) =>
    rows.map(({ id, free, smallest_room, largest_room }) => [id, ...[free, smallest_room, largest_room].map(Number)]);
  const workers = plain(await dataSource.query("SELECT worker_id AS id, used AS n FROM worker_load ORDER BY 1"));
  const nodes = rooms(await dataSource.query("SELECT container_id AS id, l.* FROM container_load l ORDER BY 1"));
  const countedWorkers = plain(
    await dataSource.query(
      `SELECT w.worker_id AS id, (
         SELECT COALESCE(SUM(COALESCE(m.producer_capacity, 0) + COALESCE(m.consumer_capacity, 0) + COALESCE(m.capacity, 0)), 0)
         FROM router_worker r JOIN router_meeting m ON m.router_id = r.router_id WHERE r.worker_id = w.worker_id
       ) + (SELECT COALESCE(SUM(amount), 0) FROM placement_reservation p WHERE p.worker_id = w.worker_id) AS n
       FROM worker_container w ORDER BY 1`,
    ),
  );
  const countedNodes = rooms(
    await dataSource.query(
      `SELECT l.container_id AS id, COALESCE(SUM(GREATEST(w.capacity - w.used, 0)), 0) AS free,
         COALESCE(MIN(CASE WHEN w.capacity > w.used THEN w.capacity - w.used END), 0) AS smallest_room,
         COALESCE(MAX(CASE WHEN w.capacity > w.used THEN w.capacity - w.used END), 0) AS largest_room
       FROM container_load l LEFT JOIN worker_load w ON w.container_id = l.container_id
       GROUP BY l.container_id ORDER BY 1`,
    ),
  );
  return { kept: [workers, nodes], counted: [countedWorkers, countedNodes] };
}

/** A meeting with its people, written as the running services write it. Everyone consumes everyone. */
export async function seedByPlainSql(
  dataSource: DataSource,
  {
    meetingId,
    containerId,
    workers,
    people,
  }: { meetingId: string; containerId: string; workers: [string, string]; people: number },
): Promise<void> {
  const ids = Array.from({ length: people }, (_, n) => `${meetingId}-p${n}`);
  const run = (sql: string, params: unknown[]) => dataSource.query(sql, params);
  await run("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
  const routers = [`${meetingId}-rp`, `${meetingId}-rc`];
  for (const [n, router] of routers.entries()) {
    await run("INSERT INTO router_worker (worker_id, router_id) VALUES (?, ?)", [workers[n], router]);
    await run(
      `INSERT INTO router_meeting (router_id, meeting_id, ${n === 0 ? "producer" : "consumer"}_capacity, container_id) VALUES (?, ?, ?, ?)`,
      [router, meetingId, 10, containerId],
    );
  }
  for (const id of ids) {
    await run("INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES (?, ?, 'i')", [
      meetingId,
      id,
    ]);
    await run("INSERT INTO participant_producer_router (participant_id, router_id) VALUES (?, ?)", [id, routers[0]]);
    await run("INSERT INTO participant_consumer_router (participant_id, router_id) VALUES (?, ?)", [id, routers[1]]);
    await run("INSERT INTO participant_producer_transport (participant_id, transport_id) VALUES (?, ?)", [
      id,
      `${id}-pt`,
    ]);
    await run("INSERT INTO participant_consumer_transport (participant_id, transport_id) VALUES (?, ?)", [
      id,
      `${id}-ct`,
    ]);
    await run(
      "INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id) VALUES (?, 1, 'audio', ?, ?, ?)",
      [id, `${id}-audio`, meetingId, `${id}-pt`],
    );
  }
  const consumers = ids.flatMap((id) =>
    ids
      .filter((target) => target !== id)
      .map((target) => [id, 1, target, "audio", `${id}<${target}`, meetingId, `${id}-ct`]),
  );
  if (consumers.length === 0) return;
  await run(
    "INSERT INTO participant_consumers (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id) VALUES ?",
    [consumers],
  );
}
