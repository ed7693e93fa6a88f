import {
  closeDataSource,
  createDataSource,
  type DataSource,
  openDataSource,
} from "../../../../src/mysql/dataSource.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type Database, poolDatabase } from "../../../../src/mysql/repositories/database.js";
import { MediaRepository } from "../../../../src/mysql/repositories/media.js";
import { ParticipantRepository } from "../../../../src/mysql/repositories/participants.js";
import { TransportRepository } from "../../../../src/mysql/repositories/transports.js";
import { type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig } from "../testDataSource.js";

export interface RouterRow {
  readonly routerId: string;
  readonly producer?: number;
  readonly consumer?: number;
  readonly both?: number;
}

/** Ids that careless SQL, collations or objects confuse. */
export const NASTY_IDS = [
  "P1",
  "p1",
  "é",
  "e",
  "e\u0301",
  "e\u200d",
  "😀".repeat(64),
  "o'brien",
  '"quoted"',
  "back\\slash",
  "\\",
  "' OR '1'='1",
  "'; DELETE FROM meeting_status; -- x",
  "/*!50000 1*/",
  "%",
  "_",
  "?",
  "`id`",
  " leading",
  "0",
  "null",
  "line\nbreak",
  "__proto__",
  "constructor",
  "toString",
] as const;

/** Tables that hold what a meeting's participants have, children first. */
export const PARTICIPANT_TABLES = [
  "participant_consumers",
  "participant_producers",
  "participant_consumer_transport",
  "participant_producer_transport",
  "participant_consumer_router",
  "participant_producer_router",
  "participant_meeting",
] as const;

/** A server of the test's own with the migrated schema, and the repositories on it. */
export class Meetings {
  #server?: MysqlServer;
  #workers = 0;
  dataSource!: DataSource;
  database!: Database;
  participants!: ParticipantRepository;
  transports!: TransportRepository;
  media!: MediaRepository;

  async open(): Promise<void> {
    this.#server = await startMysqlServer();
    const config = mysqlConfig(this.#server.environment);
    await runMigrations(config);
    this.dataSource = createDataSource(config);
    await openDataSource(this.dataSource, 5_000);
    this.database = poolDatabase(this.dataSource);
    this.participants = new ParticipantRepository(this.database);
    this.transports = new TransportRepository(this.database);
    this.media = new MediaRepository(this.database);
  }

  async close(): Promise<void> {
    if (this.dataSource) await closeDataSource(this.dataSource, 1_000);
    await this.#server?.stop();
  }

  async empty(): Promise<void> {
    const others = ["meeting_status", "router_meeting", "router_worker", "worker_container", "container_heartbeat"];
    for (const table of [...PARTICIPANT_TABLES, ...others]) await this.database.execute(`DELETE FROM ${table}`);
  }

  /** A meeting as the control plane writes it, each router on a worker of its own. */
  async create(meetingId: string, routers: readonly RouterRow[] = routersOf(meetingId), host: string | null = "host") {
    const { database } = this;
    this.#workers += 1;
    const containerId = `node-${this.#workers}`;
    await database.execute(
      "INSERT INTO container_heartbeat (container_id, host, tenant, heartbeat) VALUES (?, ?, 'tenant', 1)",
      [containerId, host],
    );
    await database.execute("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
    for (const { routerId, producer = null, consumer = null, both = null } of routers) {
      this.#workers += 1;
      const workerId = `worker-${this.#workers}`;
      await database.execute("INSERT INTO worker_container (container_id, worker_id) VALUES (?, ?)", [
        containerId,
        workerId,
      ]);
      await database.execute("INSERT INTO router_worker (worker_id, router_id) VALUES (?, ?)", [workerId, routerId]);
      await database.execute(
        `INSERT INTO router_meeting (router_id, meeting_id, producer_capacity, consumer_capacity, capacity, container_id)
         VALUES (?, ?, ?, ?, ?, ?)`,
        [routerId, meetingId, producer, consumer, both, containerId],
      );
    }
    return containerId;
  }

  /** A participant with both routers, both transports (`<id>>` sends, `<id><` receives) and a producer of each kind. */
  async enter(meetingId: string, participantId: string, kinds: readonly string[] = []): Promise<void> {
    const { producerRouterId, consumerRouterId } = await this.participants.allocateRouters({
      meetingId,
      participantId,
    });
    const scope = { meetingId, participantId };
    await this.participants.join({ ...scope, instanceId: "i", producerRouterId, consumerRouterId });
    await this.transports.create({ ...scope, role: "producer", transportId: `${participantId}>` });
    await this.transports.create({ ...scope, role: "consumer", transportId: `${participantId}<` });
    for (const kind of kinds) {
      const producer = { ...scope, kind, producerId: `${participantId}:${kind}`, transportId: `${participantId}>` };
      await this.media.createProducer(producer);
    }
  }

  /** Lets the participant consume what `enter` made of the target; the ids are `<participant><-<target>:<kind>`. */
  async consume(meetingId: string, participantId: string, targetIds: readonly string[], kinds: readonly string[]) {
    const targets = new Map(
      targetIds.map((target) => [
        target,
        kinds.map((kind) => ({ kind, consumerId: `${participantId}<-${target}:${kind}` })),
      ]),
    );
    return this.media.createConsumers({ meetingId, participantId, transportId: `${participantId}<`, targets });
  }

  /** How many rows each of the participants' tables has. */
  async counts(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of PARTICIPANT_TABLES) counts[table] = (await this.rows(table)).length;
    return counts;
  }

  async rows(table: string): Promise<readonly Record<string, unknown>[]> {
    const rows = await this.database.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
    return rows.map((row) => ({ ...row }));
  }
}

export function routersOf(meetingId: string): readonly RouterRow[] {
  return [
    { routerId: `${meetingId}/c2`, consumer: 10 },
    { routerId: `${meetingId}/p`, producer: 10 },
    { routerId: `${meetingId}/c1`, consumer: 10 },
  ];
}

export const NOTHING = Object.fromEntries(PARTICIPANT_TABLES.map((table) => [table, 0]));
