import { expect } from "chai";
import { driftText, findDrift } from "../../../../src/mysql/migrator/drift.js";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { freshDatabase } from "./freshDatabase.js";

interface Change {
  readonly done: readonly string[];
  readonly told: string;
  readonly undone: readonly string[];
}

const ID = "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const KEY = "fk_participant_producers_participant";
const REFERENCE = "FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id)";
const TRIGGER = "trg_worker_container_after_delete AFTER DELETE ON worker_container FOR EACH ROW";
const TRIGGER_BODY = "DELETE FROM worker_load WHERE worker_id = OLD.worker_id";

const CHANGES: Readonly<Record<string, Change>> = {
  "a column's collation": {
    done: ["ALTER TABLE container_heartbeat MODIFY host varchar(255) COLLATE utf8mb4_unicode_ci NULL"],
    told: `container_heartbeat:
  - host varchar(255) COLLATE utf8mb4_bin NULL
  + host varchar(255) COLLATE utf8mb4_unicode_ci NULL`,
    undone: ["ALTER TABLE container_heartbeat MODIFY host varchar(255) COLLATE utf8mb4_bin NULL"],
  },
  "the table's own collation and engine": {
    done: ["ALTER TABLE container_status ENGINE=MyISAM, DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"],
    told: `container_status:
  - ) ENGINE=InnoDB COLLATE=utf8mb4_bin;
  + ) ENGINE=MyISAM COLLATE=utf8mb4_unicode_ci;`,
    undone: ["ALTER TABLE container_status ENGINE=InnoDB, DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"],
  },
  "an index's columns and their order": {
    done: [
      "ALTER TABLE worker_load DROP KEY idx_worker_load_room, ADD KEY idx_worker_load_room (container_id, used, capacity)",
    ],
    told: `worker_load:
  - KEY idx_worker_load_room (container_id, capacity, used)
  + KEY idx_worker_load_room (container_id, used, capacity)`,
    undone: [
      "ALTER TABLE worker_load DROP KEY idx_worker_load_room, ADD KEY idx_worker_load_room (container_id, capacity, used)",
    ],
  },
  "an index of part of a column, besides": {
    done: ["ALTER TABLE container_heartbeat ADD KEY by_host (host(10))"],
    told: `container_heartbeat:
  + KEY by_host (host(10))`,
    undone: ["ALTER TABLE container_heartbeat DROP KEY by_host"],
  },
  "a missing index": {
    done: ["ALTER TABLE participant_producers DROP KEY idx_participant_producers_producer"],
    told: `participant_producers:
  - KEY idx_participant_producers_producer (producer_id)`,
    undone: ["ALTER TABLE participant_producers ADD KEY idx_participant_producers_producer (producer_id)"],
  },
  "a foreign key's action": {
    done: [
      `ALTER TABLE participant_producers DROP FOREIGN KEY ${KEY}`,
      `ALTER TABLE participant_producers ADD CONSTRAINT ${KEY} ${REFERENCE} ON DELETE NO ACTION`,
    ],
    told: `participant_producers:
  - CONSTRAINT ${KEY} ${REFERENCE} ON DELETE CASCADE ON UPDATE NO ACTION
  + CONSTRAINT ${KEY} ${REFERENCE} ON DELETE NO ACTION ON UPDATE NO ACTION`,
    undone: [
      `ALTER TABLE participant_producers DROP FOREIGN KEY ${KEY}`,
      `ALTER TABLE participant_producers ADD CONSTRAINT ${KEY} ${REFERENCE} ON DELETE CASCADE`,
    ],
  },
  "a missing trigger": {
    done: ["DROP TRIGGER trg_worker_container_after_delete"],
    told: `worker_container:
  - CREATE TRIGGER ${TRIGGER}`,
    undone: [`CREATE TRIGGER ${TRIGGER} ${TRIGGER_BODY}`],
  },
  "a changed trigger": {
    done: ["DROP TRIGGER trg_worker_container_after_delete", `CREATE TRIGGER ${TRIGGER} DELETE FROM worker_load`],
    told: `worker_container:
    CREATE TRIGGER ${TRIGGER}
  - ${TRIGGER_BODY}
  + DELETE FROM worker_load`,
    undone: ["DROP TRIGGER trg_worker_container_after_delete", `CREATE TRIGGER ${TRIGGER} ${TRIGGER_BODY}`],
  },
  "a trigger besides": {
    done: ["CREATE TRIGGER watcher BEFORE INSERT ON meeting_status FOR EACH ROW SET @seen = NEW.meeting_id"],
    told: `meeting_status:
  + CREATE TRIGGER watcher BEFORE INSERT ON meeting_status FOR EACH ROW`,
    undone: ["DROP TRIGGER watcher"],
  },
  "a column besides, with a check": {
    done: ["ALTER TABLE meeting_status ADD seats int NULL, ADD CONSTRAINT few_seats CHECK (seats < 9)"],
    told: `meeting_status:
  + seats int NULL
  + CONSTRAINT few_seats CHECK (CLAUSE)`,
    undone: ["ALTER TABLE meeting_status DROP CONSTRAINT few_seats", "ALTER TABLE meeting_status DROP COLUMN seats"],
  },
  "a default and a type": {
    done: ["ALTER TABLE worker_load MODIFY capacity bigint NOT NULL DEFAULT 400"],
    told: `worker_load:
  - capacity int NOT NULL DEFAULT 500
  + capacity bigint NOT NULL DEFAULT 400`,
    undone: ["ALTER TABLE worker_load MODIFY capacity int NOT NULL DEFAULT 500"],
  },
  "a default that is text": {
    done: ["ALTER TABLE container_load MODIFY tenant varchar(255) COLLATE utf8mb4_bin NULL DEFAULT 'it''s'"],
    told: `container_load:
  - tenant varchar(255) COLLATE utf8mb4_bin NULL
  + tenant varchar(255) COLLATE utf8mb4_bin NULL DEFAULT 'it''s'`,
    undone: ["ALTER TABLE container_load MODIFY tenant varchar(255) COLLATE utf8mb4_bin NULL"],
  },
  "columns in another order": {
    done: [`ALTER TABLE meeting_status MODIFY meeting_id ${ID} NOT NULL AFTER enabled`],
    told: `meeting_status:
  - meeting_id varchar(64) COLLATE utf8mb4_bin NOT NULL
  + enabled tinyint(1) NULL (in another order)`,
    undone: [`ALTER TABLE meeting_status MODIFY meeting_id ${ID} NOT NULL FIRST`],
  },
  "a table and a view besides": {
    done: ["CREATE TABLE audit (n int)", "CREATE VIEW meetings AS SELECT meeting_id FROM meeting_status"],
    told: `audit:
  + CREATE TABLE audit (
meetings:
  + CREATE VIEW meetings;`,
    undone: ["DROP TABLE audit", "DROP VIEW meetings"],
  },
  "a missing table": {
    done: ["RENAME TABLE container_status TO kept"],
    told: `container_status:
  - CREATE TABLE container_status (
kept:
  + CREATE TABLE kept (`,
    undone: ["RENAME TABLE kept TO container_status"],
  },
};

describe("schema drift", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let environment: Environment;

  before(async () => {
    server = await startMysqlServer();
    environment = await freshDatabase(server, "drift");
    await runMigrations(mysqlConfig(environment));
  });
  after(() => server?.stop());

  const run = (statements: readonly string[]) =>
    withDataSource(environment, {}, async (database) => {
      for (const statement of statements) await database.query(statement);
    });
  const text = async () => driftText(await withDataSource(environment, {}, findDrift));

  for (const [what, { done, told, undone }] of Object.entries(CHANGES)) {
    it(`tells ${what}, and nothing once it is undone`, async () => {
      await run(done);
      // Each engine writes an expression in its own way.
      expect((await text()).replace(/CHECK \(.*\)$/m, "CHECK (CLAUSE)")).to.equal(told);
      await run(undone);
      expect(await text()).to.equal("");
    });
  }
});
