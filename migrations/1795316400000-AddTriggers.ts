import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";
import { createTrigger, dropTrigger } from "../src/mysql/migrator/steps.js";

const ID = "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

const left = (row: "NEW" | "w") => `GREATEST(${row}.capacity - ${row}.used, 0)`;
const amount = (row: string) =>
  `COALESCE(${row}.producer_capacity, 0) + COALESCE(${row}.consumer_capacity, 0) + COALESCE(${row}.capacity, 0)`;

/** The container's row is locked before the worker's, as placement does, so that the two do not meet head-on. */
const charge = (worker: string, change: string) => `
  SET the_worker = ${worker};
  SELECT container_id INTO the_container FROM container_load
    WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (${change}) WHERE worker_id = the_worker;`;
const workerOf = (row: "NEW" | "OLD") => `(SELECT worker_id FROM router_worker WHERE router_id = ${row}.router_id)`;
/** Not finding a row is no failure: the media node may be unknown. */
const charging = (body: string) => `BEGIN
  DECLARE the_worker ${ID};
  DECLARE the_container ${ID};
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  ${body}
END`;

/** Without reading other workers, whose gaps a booting node would lock against another that boots. */
const addToContainer = `INSERT INTO container_load (container_id, tenant, free, smallest_room, largest_room)
  VALUES (NEW.container_id, (SELECT tenant FROM container_heartbeat WHERE container_id = NEW.container_id),
    ${left("NEW")}, ${left("NEW")}, ${left("NEW")})
  ON DUPLICATE KEY UPDATE free = free + ${left("NEW")}, largest_room = GREATEST(largest_room, ${left("NEW")}),
    smallest_room = COALESCE(LEAST(NULLIF(smallest_room, 0), NULLIF(${left("NEW")}, 0)), smallest_room + ${left("NEW")});`;
/** Reads what others have committed by now: a snapshot may be older than the wait for the container's row. */
const countContainer = (container: string) => `
  SELECT COALESCE(SUM(${left("w")}), 0), COALESCE(MIN(NULLIF(${left("w")}, 0)), 0), COALESCE(MAX(${left("w")}), 0)
    INTO the_free, the_smallest, the_largest FROM worker_load w FORCE INDEX (idx_worker_load_container)
    WHERE w.container_id = ${container} LOCK IN SHARE MODE;
  UPDATE container_load SET free = the_free, smallest_room = the_smallest, largest_room = the_largest
    WHERE container_id = ${container};`;
const counting = (body: string) => `BEGIN
  DECLARE the_free bigint;
  DECLARE the_smallest bigint;
  DECLARE the_largest bigint;
  ${body}
END`;
const routersOf = (row: "NEW" | "OLD") =>
  `(SELECT COALESCE(SUM(${amount("rm")}), 0) FROM router_meeting rm WHERE rm.router_id = ${row}.router_id)`;

/** Cascades fire no trigger, so whatever a cascade will delete is taken into account where it starts. */
const TRIGGERS: readonly (readonly [event: string, table: string, body: string])[] = [
  [
    "AFTER INSERT",
    "container_heartbeat",
    `INSERT INTO container_load (container_id, tenant) VALUES (NEW.container_id, NEW.tenant)
     ON DUPLICATE KEY UPDATE tenant = NEW.tenant`,
  ],
  [
    "AFTER UPDATE",
    "container_heartbeat",
    `IF NOT (OLD.tenant <=> NEW.tenant) THEN
       UPDATE container_load SET tenant = NEW.tenant WHERE container_id = NEW.container_id;
     END IF`,
  ],
  [
    "AFTER DELETE",
    "container_heartbeat",
    "UPDATE container_load SET tenant = NULL WHERE container_id = OLD.container_id",
  ],
  [
    "AFTER INSERT",
    "worker_container",
    `INSERT INTO worker_load (worker_id, container_id) VALUES (NEW.worker_id, NEW.container_id)
     ON DUPLICATE KEY UPDATE container_id = NEW.container_id`,
  ],
  [
    "AFTER UPDATE",
    "worker_container",
    `UPDATE worker_load SET worker_id = NEW.worker_id, container_id = NEW.container_id WHERE worker_id = OLD.worker_id`,
  ],
  ["AFTER DELETE", "worker_container", "DELETE FROM worker_load WHERE worker_id = OLD.worker_id"],
  ["AFTER INSERT", "worker_load", `IF NEW.container_id IS NOT NULL THEN ${addToContainer} END IF`],
  [
    "AFTER UPDATE",
    "worker_load",
    counting(
      `${countContainer("OLD.container_id")}
       IF NEW.container_id IS NOT NULL AND NOT OLD.container_id <=> NEW.container_id THEN ${addToContainer} END IF;`,
    ),
  ],
  ["AFTER DELETE", "worker_load", counting(countContainer("OLD.container_id"))],
  ["AFTER INSERT", "router_meeting", charging(charge(workerOf("NEW"), amount("NEW")))],
  [
    "AFTER UPDATE",
    "router_meeting",
    charging(charge(workerOf("OLD"), `-(${amount("OLD")})`) + charge(workerOf("NEW"), amount("NEW"))),
  ],
  ["AFTER DELETE", "router_meeting", charging(charge(workerOf("OLD"), `-(${amount("OLD")})`))],
  [
    "AFTER UPDATE",
    "router_worker",
    charging(charge("OLD.worker_id", `-${routersOf("NEW")}`) + charge("NEW.worker_id", routersOf("NEW"))),
  ],
  ["BEFORE DELETE", "router_worker", charging(charge("OLD.worker_id", `-${routersOf("OLD")}`))],
  [
    "BEFORE DELETE",
    "meeting_status",
    // Each router by its key: one statement that also reads router_meeting would be refused or scan the table.
    `BEGIN
       DECLARE the_router ${ID};
       DECLARE done tinyint DEFAULT 0;
       DECLARE routers CURSOR FOR SELECT router_id FROM router_meeting WHERE meeting_id = OLD.meeting_id ORDER BY router_id;
       DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
       DELETE FROM participant_meeting WHERE meeting_id = OLD.meeting_id;
       OPEN routers;
       FETCH routers INTO the_router;
       WHILE done = 0 DO
         DELETE FROM router_worker WHERE router_id = the_router;
         SET done = 0;
         FETCH routers INTO the_router;
       END WHILE;
       CLOSE routers;
     END`,
  ],
];

const nameOf = (event: string, table: string) => `trg_${table}_${event.toLowerCase().replace(" ", "_")}`;
const REFUSED =
  "The server refuses triggers (1419), so loads are not kept and a bare DELETE of a meeting leaks rows. " +
  "Set log_bin_trust_function_creators = 1 and run the migrations again, or call fleet.recount() regularly";

/**
 * Keeps the loads right whoever writes the tables, and makes a bare `DELETE FROM meeting_status` delete all of a meeting.
 * Where the server refuses triggers (1419) there are none: `fleet.recount()` then rebuilds the loads.
 */
export class AddTriggers1795316400000 extends SteppedMigration {
  readonly upSteps = TRIGGERS.flatMap(([event, table, body]) =>
    createTrigger({ name: nameOf(event, table), event, table, body, refused: REFUSED }),
  );
  readonly downSteps = TRIGGERS.toReversed().map(([event, table]) => dropTrigger(nameOf(event, table)));
}
