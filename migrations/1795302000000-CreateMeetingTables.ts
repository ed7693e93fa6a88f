import type { MigrationInterface, QueryRunner } from "typeorm";

const ID = "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const NAME = "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

/** Parents before children. */
const TABLES: readonly (readonly [name: string, definitions: readonly string[]])[] = [
  [
    "container_heartbeat",
    [
      `container_id ${ID} NOT NULL`,
      `host ${NAME} NULL`,
      `tenant ${NAME} NULL`,
      "heartbeat bigint NULL",
      "PRIMARY KEY (container_id)",
      "KEY idx_container_heartbeat_tenant (tenant)",
    ],
  ],
  ["container_status", [`container_id ${ID} NOT NULL`, "status tinyint(1) NULL", "PRIMARY KEY (container_id)"]],
  [
    "worker_container",
    [
      `container_id ${ID} NULL`,
      `worker_id ${ID} NOT NULL`,
      "PRIMARY KEY (worker_id)",
      "KEY idx_worker_container_container (container_id)",
    ],
  ],
  [
    "router_worker",
    [
      `worker_id ${ID} NULL`,
      `router_id ${ID} NOT NULL`,
      "PRIMARY KEY (router_id)",
      "KEY idx_router_worker_worker (worker_id)",
      "CONSTRAINT fk_router_worker_worker FOREIGN KEY (worker_id) REFERENCES worker_container (worker_id) ON DELETE NO ACTION ON UPDATE NO ACTION",
    ],
  ],
  ["meeting_status", [`meeting_id ${ID} NOT NULL`, "enabled tinyint(1) NULL", "PRIMARY KEY (meeting_id)"]],
  [
    "router_meeting",
    [
      `router_id ${ID} NULL`,
      `meeting_id ${ID} NULL`,
      "producer_capacity int NULL",
      "consumer_capacity int NULL",
      "capacity int NULL",
      `container_id ${ID} NULL`,
      "KEY idx_router_meeting_router (router_id)",
      "KEY idx_router_meeting_meeting (meeting_id)",
      "CONSTRAINT fk_router_meeting_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_router_meeting_meeting FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_meeting",
    [
      `meeting_id ${ID} NULL`,
      `participant_id ${ID} NOT NULL`,
      `instance_id ${ID} NULL`,
      "PRIMARY KEY (participant_id)",
      "KEY idx_participant_meeting_meeting (meeting_id)",
      "CONSTRAINT fk_participant_meeting_meeting FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_producer_router",
    [
      `participant_id ${ID} NOT NULL`,
      `router_id ${ID} NULL`,
      "PRIMARY KEY (participant_id)",
      "KEY idx_participant_producer_router_router (router_id)",
      "CONSTRAINT fk_participant_producer_router_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_participant_producer_router_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_consumer_router",
    [
      `participant_id ${ID} NOT NULL`,
      `router_id ${ID} NULL`,
      "PRIMARY KEY (participant_id)",
      "KEY idx_participant_consumer_router_router (router_id)",
      "CONSTRAINT fk_participant_consumer_router_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_participant_consumer_router_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_producer_transport",
    [
      `participant_id ${ID} NOT NULL`,
      `transport_id ${ID} NULL`,
      "PRIMARY KEY (participant_id)",
      "UNIQUE KEY uq_participant_producer_transport_transport (transport_id)",
      "CONSTRAINT fk_participant_producer_transport_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_consumer_transport",
    [
      `participant_id ${ID} NOT NULL`,
      `transport_id ${ID} NULL`,
      "PRIMARY KEY (participant_id)",
      "UNIQUE KEY uq_participant_consumer_transport_transport (transport_id)",
      "CONSTRAINT fk_participant_consumer_transport_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_producers",
    [
      `participant_id ${ID} NULL`,
      "producers int NULL",
      `kind ${ID} NULL`,
      `producer_id ${ID} NULL`,
      `meeting_id ${ID} NULL`,
      `transport_id ${ID} NULL`,
      "KEY idx_participant_producers_participant (participant_id)",
      "KEY idx_participant_producers_transport (transport_id)",
      "CONSTRAINT fk_participant_producers_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_participant_producers_transport FOREIGN KEY (transport_id) REFERENCES participant_producer_transport (transport_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
  [
    "participant_consumers",
    [
      `participant_id ${ID} NULL`,
      "consumers int NULL",
      `target_participant_id ${ID} NULL`,
      `kind ${ID} NULL`,
      `consumer_id ${ID} NULL`,
      `meeting_id ${ID} NULL`,
      `transport_id ${ID} NULL`,
      "UNIQUE KEY uq_participant_consumers_target_kind (participant_id, target_participant_id, kind)",
      "KEY idx_participant_consumers_target (target_participant_id)",
      "KEY idx_participant_consumers_transport (transport_id)",
      "CONSTRAINT fk_participant_consumers_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_participant_consumers_target FOREIGN KEY (target_participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION",
      "CONSTRAINT fk_participant_consumers_transport FOREIGN KEY (transport_id) REFERENCES participant_consumer_transport (transport_id) ON DELETE CASCADE ON UPDATE NO ACTION",
    ],
  ],
];

/** The tables with the keys that running services know. Each step may be run again. */
export class CreateMeetingTables1795302000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [name, definitions] of TABLES) {
      await runner.query(`CREATE TABLE IF NOT EXISTS ${name} (${definitions.join(", ")}) ${OPTIONS}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [name] of TABLES.toReversed()) await runner.query(`DROP TABLE IF EXISTS ${name}`);
  }
}
