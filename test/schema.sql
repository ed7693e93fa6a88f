CREATE TABLE container_heartbeat (
  container_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  host varchar(255) COLLATE utf8mb4_bin NULL,
  tenant varchar(255) COLLATE utf8mb4_bin NULL,
  heartbeat bigint NULL,
  PRIMARY KEY (container_id),
  KEY idx_container_heartbeat_heartbeat (heartbeat),
  KEY idx_container_heartbeat_tenant (tenant),
  KEY idx_container_heartbeat_tenant_heartbeat (tenant, heartbeat)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_container_heartbeat_after_delete AFTER DELETE ON container_heartbeat FOR EACH ROW
  UPDATE container_load SET tenant = NULL WHERE container_id = OLD.container_id
;

CREATE TRIGGER trg_container_heartbeat_after_insert AFTER INSERT ON container_heartbeat FOR EACH ROW
  INSERT INTO container_load (container_id, tenant) VALUES (NEW.container_id, NEW.tenant)
  ON DUPLICATE KEY UPDATE tenant = NEW.tenant
;

CREATE TRIGGER trg_container_heartbeat_after_update AFTER UPDATE ON container_heartbeat FOR EACH ROW
  IF NOT (OLD.tenant <=> NEW.tenant) THEN
  UPDATE container_load SET tenant = NEW.tenant WHERE container_id = NEW.container_id;
  END IF
;

CREATE TABLE container_load (
  container_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  tenant varchar(255) COLLATE utf8mb4_bin NULL,
  free bigint NOT NULL DEFAULT 0,
  smallest_room bigint NOT NULL DEFAULT 0,
  largest_room bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (container_id),
  KEY idx_container_load_tenant_free (tenant, free, container_id, smallest_room, largest_room)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE container_status (
  container_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  status tinyint(1) NULL,
  PRIMARY KEY (container_id)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE meeting_status (
  meeting_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  enabled tinyint(1) NULL,
  PRIMARY KEY (meeting_id)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_meeting_status_before_delete BEFORE DELETE ON meeting_status FOR EACH ROW
  BEGIN
  DECLARE the_router varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
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
  END
;

CREATE TABLE migrations (
  id int NOT NULL auto_increment,
  timestamp bigint NOT NULL,
  name varchar(255) COLLATE utf8mb4_bin NOT NULL,
  checksum varchar(64) COLLATE utf8mb4_bin NULL,
  applied_at datetime(3) NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_consumer_router (
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  router_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id),
  KEY idx_participant_consumer_router_router (router_id),
  CONSTRAINT fk_participant_consumer_router_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_participant_consumer_router_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_consumer_transport (
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  transport_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id),
  UNIQUE KEY uq_participant_consumer_transport_transport (transport_id),
  CONSTRAINT fk_participant_consumer_transport_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_consumers (
  participant_id varchar(64) COLLATE utf8mb4_bin NULL,
  consumers int NULL,
  target_participant_id varchar(64) COLLATE utf8mb4_bin NULL,
  kind varchar(64) COLLATE utf8mb4_bin NULL,
  consumer_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  meeting_id varchar(64) COLLATE utf8mb4_bin NULL,
  transport_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (consumer_id),
  KEY idx_participant_consumers_meeting_participant (meeting_id, participant_id, consumer_id, target_participant_id, kind, transport_id),
  KEY idx_participant_consumers_target (target_participant_id),
  KEY idx_participant_consumers_transport (transport_id),
  UNIQUE KEY uq_participant_consumers_target_kind (participant_id, target_participant_id, kind),
  CONSTRAINT fk_participant_consumers_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_participant_consumers_target FOREIGN KEY (target_participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_participant_consumers_transport FOREIGN KEY (transport_id) REFERENCES participant_consumer_transport (transport_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_meeting (
  meeting_id varchar(64) COLLATE utf8mb4_bin NULL,
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  instance_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id),
  KEY idx_participant_meeting_meeting (meeting_id),
  CONSTRAINT fk_participant_meeting_meeting FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_producer_router (
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  router_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id),
  KEY idx_participant_producer_router_router (router_id),
  CONSTRAINT fk_participant_producer_router_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_participant_producer_router_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_producer_transport (
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  transport_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id),
  UNIQUE KEY uq_participant_producer_transport_transport (transport_id),
  CONSTRAINT fk_participant_producer_transport_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE participant_producers (
  participant_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  producers int NULL,
  kind varchar(64) COLLATE utf8mb4_bin NULL,
  producer_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  meeting_id varchar(64) COLLATE utf8mb4_bin NULL,
  transport_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (participant_id, producer_id),
  KEY idx_participant_producers_meeting_participant (meeting_id, participant_id),
  KEY idx_participant_producers_participant (participant_id),
  KEY idx_participant_producers_producer (producer_id),
  KEY idx_participant_producers_transport (transport_id),
  CONSTRAINT fk_participant_producers_participant FOREIGN KEY (participant_id) REFERENCES participant_meeting (participant_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_participant_producers_transport FOREIGN KEY (transport_id) REFERENCES participant_producer_transport (transport_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE placement_reservation (
  reservation_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  worker_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  container_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  role varchar(8) COLLATE utf8mb4_bin NOT NULL,
  amount int NOT NULL,
  expires_at datetime(3) NOT NULL,
  PRIMARY KEY (reservation_id, worker_id),
  KEY idx_placement_reservation_container (container_id),
  KEY idx_placement_reservation_expires (expires_at),
  KEY idx_placement_reservation_worker (worker_id)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TABLE router_meeting (
  router_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  meeting_id varchar(64) COLLATE utf8mb4_bin NULL,
  producer_capacity int NULL,
  consumer_capacity int NULL,
  capacity int NULL,
  container_id varchar(64) COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (router_id),
  KEY idx_router_meeting_container (container_id),
  KEY idx_router_meeting_meeting (meeting_id),
  KEY idx_router_meeting_router (router_id),
  CONSTRAINT fk_router_meeting_meeting FOREIGN KEY (meeting_id) REFERENCES meeting_status (meeting_id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk_router_meeting_router FOREIGN KEY (router_id) REFERENCES router_worker (router_id) ON DELETE CASCADE ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_router_meeting_after_delete AFTER DELETE ON router_meeting FOR EACH ROW
  BEGIN
  DECLARE the_worker varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE the_container varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  SET the_worker = (SELECT worker_id FROM router_worker WHERE router_id = OLD.router_id);
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (-(COALESCE(OLD.producer_capacity, 0) + COALESCE(OLD.consumer_capacity, 0) + COALESCE(OLD.capacity, 0))) WHERE worker_id = the_worker;
  END
;

CREATE TRIGGER trg_router_meeting_after_insert AFTER INSERT ON router_meeting FOR EACH ROW
  BEGIN
  DECLARE the_worker varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE the_container varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  SET the_worker = (SELECT worker_id FROM router_worker WHERE router_id = NEW.router_id);
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (COALESCE(NEW.producer_capacity, 0) + COALESCE(NEW.consumer_capacity, 0) + COALESCE(NEW.capacity, 0)) WHERE worker_id = the_worker;
  END
;

CREATE TRIGGER trg_router_meeting_after_update AFTER UPDATE ON router_meeting FOR EACH ROW
  BEGIN
  DECLARE the_worker varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE the_container varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  SET the_worker = (SELECT worker_id FROM router_worker WHERE router_id = OLD.router_id);
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (-(COALESCE(OLD.producer_capacity, 0) + COALESCE(OLD.consumer_capacity, 0) + COALESCE(OLD.capacity, 0))) WHERE worker_id = the_worker;
  SET the_worker = (SELECT worker_id FROM router_worker WHERE router_id = NEW.router_id);
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (COALESCE(NEW.producer_capacity, 0) + COALESCE(NEW.consumer_capacity, 0) + COALESCE(NEW.capacity, 0)) WHERE worker_id = the_worker;
  END
;

CREATE TABLE router_worker (
  worker_id varchar(64) COLLATE utf8mb4_bin NULL,
  router_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (router_id),
  KEY idx_router_worker_worker (worker_id),
  CONSTRAINT fk_router_worker_worker FOREIGN KEY (worker_id) REFERENCES worker_container (worker_id) ON DELETE NO ACTION ON UPDATE NO ACTION
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_router_worker_after_update AFTER UPDATE ON router_worker FOR EACH ROW
  BEGIN
  DECLARE the_worker varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE the_container varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  SET the_worker = OLD.worker_id;
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (-(SELECT COALESCE(SUM(COALESCE(rm.producer_capacity, 0) + COALESCE(rm.consumer_capacity, 0) + COALESCE(rm.capacity, 0)), 0) FROM router_meeting rm WHERE rm.router_id = NEW.router_id)) WHERE worker_id = the_worker;
  SET the_worker = NEW.worker_id;
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + ((SELECT COALESCE(SUM(COALESCE(rm.producer_capacity, 0) + COALESCE(rm.consumer_capacity, 0) + COALESCE(rm.capacity, 0)), 0) FROM router_meeting rm WHERE rm.router_id = NEW.router_id)) WHERE worker_id = the_worker;
  END
;

CREATE TRIGGER trg_router_worker_before_delete BEFORE DELETE ON router_worker FOR EACH ROW
  BEGIN
  DECLARE the_worker varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE the_container varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  SET the_worker = OLD.worker_id;
  SELECT container_id INTO the_container FROM container_load
  WHERE container_id = (SELECT container_id FROM worker_load WHERE worker_id = the_worker) FOR UPDATE;
  UPDATE worker_load SET used = used + (-(SELECT COALESCE(SUM(COALESCE(rm.producer_capacity, 0) + COALESCE(rm.consumer_capacity, 0) + COALESCE(rm.capacity, 0)), 0) FROM router_meeting rm WHERE rm.router_id = OLD.router_id)) WHERE worker_id = the_worker;
  END
;

CREATE TABLE worker_container (
  container_id varchar(64) COLLATE utf8mb4_bin NULL,
  worker_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (worker_id),
  KEY idx_worker_container_container (container_id)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_worker_container_after_delete AFTER DELETE ON worker_container FOR EACH ROW
  DELETE FROM worker_load WHERE worker_id = OLD.worker_id
;

CREATE TRIGGER trg_worker_container_after_insert AFTER INSERT ON worker_container FOR EACH ROW
  INSERT INTO worker_load (worker_id, container_id) VALUES (NEW.worker_id, NEW.container_id)
  ON DUPLICATE KEY UPDATE container_id = NEW.container_id
;

CREATE TRIGGER trg_worker_container_after_update AFTER UPDATE ON worker_container FOR EACH ROW
  UPDATE worker_load SET worker_id = NEW.worker_id, container_id = NEW.container_id WHERE worker_id = OLD.worker_id
;

CREATE TABLE worker_load (
  worker_id varchar(64) COLLATE utf8mb4_bin NOT NULL,
  container_id varchar(64) COLLATE utf8mb4_bin NULL,
  capacity int NOT NULL DEFAULT 500,
  used bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (worker_id),
  KEY idx_worker_load_container (container_id),
  KEY idx_worker_load_room (container_id, capacity, used)
) ENGINE=InnoDB COLLATE=utf8mb4_bin;

CREATE TRIGGER trg_worker_load_after_delete AFTER DELETE ON worker_load FOR EACH ROW
  BEGIN
  DECLARE the_free bigint;
  DECLARE the_smallest bigint;
  DECLARE the_largest bigint;
  SELECT COALESCE(SUM(GREATEST(w.capacity - w.used, 0)), 0), COALESCE(MIN(NULLIF(GREATEST(w.capacity - w.used, 0), 0)), 0), COALESCE(MAX(GREATEST(w.capacity - w.used, 0)), 0)
  INTO the_free, the_smallest, the_largest FROM worker_load w FORCE INDEX (idx_worker_load_container)
  WHERE w.container_id = OLD.container_id LOCK IN SHARE MODE;
  UPDATE container_load SET free = the_free, smallest_room = the_smallest, largest_room = the_largest
  WHERE container_id = OLD.container_id;
  END
;

CREATE TRIGGER trg_worker_load_after_insert AFTER INSERT ON worker_load FOR EACH ROW
  IF NEW.container_id IS NOT NULL THEN INSERT INTO container_load (container_id, tenant, free, smallest_room, largest_room)
  VALUES (NEW.container_id, (SELECT tenant FROM container_heartbeat WHERE container_id = NEW.container_id),
  GREATEST(NEW.capacity - NEW.used, 0), GREATEST(NEW.capacity - NEW.used, 0), GREATEST(NEW.capacity - NEW.used, 0))
  ON DUPLICATE KEY UPDATE free = free + GREATEST(NEW.capacity - NEW.used, 0), largest_room = GREATEST(largest_room, GREATEST(NEW.capacity - NEW.used, 0)),
  smallest_room = COALESCE(LEAST(NULLIF(smallest_room, 0), NULLIF(GREATEST(NEW.capacity - NEW.used, 0), 0)), smallest_room + GREATEST(NEW.capacity - NEW.used, 0)); END IF
;

CREATE TRIGGER trg_worker_load_after_update AFTER UPDATE ON worker_load FOR EACH ROW
  BEGIN
  DECLARE the_free bigint;
  DECLARE the_smallest bigint;
  DECLARE the_largest bigint;
  SELECT COALESCE(SUM(GREATEST(w.capacity - w.used, 0)), 0), COALESCE(MIN(NULLIF(GREATEST(w.capacity - w.used, 0), 0)), 0), COALESCE(MAX(GREATEST(w.capacity - w.used, 0)), 0)
  INTO the_free, the_smallest, the_largest FROM worker_load w FORCE INDEX (idx_worker_load_container)
  WHERE w.container_id = OLD.container_id LOCK IN SHARE MODE;
  UPDATE container_load SET free = the_free, smallest_room = the_smallest, largest_room = the_largest
  WHERE container_id = OLD.container_id;
  IF NEW.container_id IS NOT NULL AND NOT OLD.container_id <=> NEW.container_id THEN INSERT INTO container_load (container_id, tenant, free, smallest_room, largest_room)
  VALUES (NEW.container_id, (SELECT tenant FROM container_heartbeat WHERE container_id = NEW.container_id),
  GREATEST(NEW.capacity - NEW.used, 0), GREATEST(NEW.capacity - NEW.used, 0), GREATEST(NEW.capacity - NEW.used, 0))
  ON DUPLICATE KEY UPDATE free = free + GREATEST(NEW.capacity - NEW.used, 0), largest_room = GREATEST(largest_room, GREATEST(NEW.capacity - NEW.used, 0)),
  smallest_room = COALESCE(LEAST(NULLIF(smallest_room, 0), NULLIF(GREATEST(NEW.capacity - NEW.used, 0), 0)), smallest_room + GREATEST(NEW.capacity - NEW.used, 0)); END IF;
  END
;
