type Work<T> = (transaction: Pick<PlainDatabase, "query">) => Promise<T>;

/** What the running services need of a driver; a DataSource is one. */
export interface PlainDatabase {
  // biome-ignore lint/suspicious/noExplicitAny: rows are what the statement says.
  query(sql: string, parameters?: unknown[]): Promise<any>;
  transaction<T>(work: Work<T>): Promise<T>;
  transaction<T>(isolation: "SERIALIZABLE", work: Work<T>): Promise<T>;
}

/** The running services with their own SQL, as "Who writes what today" tells it. */
export class RunningServices {
  constructor(readonly dataSource: PlainDatabase) {}

  async boot(containerId: string, tenant: string, workers: readonly string[]): Promise<void> {
    const heartbeat = (BigInt(Date.now()) * 1_000_000n).toString();
    await this.dataSource.transaction(async (manager) => {
      const beat = "INSERT INTO container_heartbeat (container_id, host, tenant, heartbeat) VALUES (?, ?, ?, ?)";
      await manager.query(beat, [containerId, `host-${containerId}`, tenant, heartbeat]);
      for (const worker of workers)
        await manager.query("INSERT INTO worker_container (container_id, worker_id) VALUES (?, ?)", [
          containerId,
          worker,
        ]);
    });
  }

  async beat(containerId: string, heartbeat: bigint): Promise<void> {
    const sql = "UPDATE container_heartbeat SET heartbeat = ? WHERE container_id = ?";
    await this.dataSource.query(sql, [heartbeat.toString(), containerId]);
  }

  async createMeeting(meetingId: string, containerId: string, [producers, consumers]: readonly [string, string]) {
    await this.dataSource.transaction(async (manager) => {
      await manager.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
      await this.addRouters(manager, meetingId, containerId, [producers, consumers]);
    });
  }

  /** Deletes the meeting and enters it anew, in one SERIALIZABLE transaction. */
  async replace(meetingId: string, containerId: string, workers: readonly [string, string]): Promise<void> {
    await this.dataSource.transaction("SERIALIZABLE", async (manager) => {
      const routers: { router_id: string }[] = await manager.query(
        "SELECT router_id FROM router_meeting WHERE meeting_id = ?",
        [meetingId],
      );
      await manager.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meetingId]);
      await manager.query("DELETE FROM router_worker WHERE router_id IN (?)", [routers.map((row) => row.router_id)]);
      await manager.query("INSERT INTO meeting_status (meeting_id, enabled) VALUES (?, 1)", [meetingId]);
      await this.addRouters(manager, meetingId, containerId, workers);
    });
  }

  async join(meetingId: string, participantId: string, instanceId: string): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      await manager.query(
        "DELETE FROM participant_meeting WHERE participant_id = ? AND meeting_id = ? AND instance_id <> ?",
        [participantId, meetingId, instanceId],
      );
      await manager.query(
        "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES (?, ?, ?)",
        [meetingId, participantId, instanceId],
      );
      for (const [role, suffix] of [
        ["producer", "p"],
        ["consumer", "c"],
      ])
        await manager.query(`INSERT INTO participant_${role}_router (participant_id, router_id) VALUES (?, ?)`, [
          participantId,
          `${meetingId}-${suffix}`,
        ]);
    });
  }

  async transport(role: "producer" | "consumer", participantId: string, transportId: string): Promise<void> {
    await this.dataSource.query(`DELETE FROM participant_${role}_transport WHERE participant_id = ?`, [participantId]);
    const sql = `INSERT INTO participant_${role}_transport (participant_id, transport_id) VALUES (?, ?)`;
    await this.dataSource.query(sql, [participantId, transportId]);
  }

  async produce(meetingId: string, participantId: string, kind: string): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)
       VALUES (?, 1, ?, ?, ?, ?)`,
      [participantId, kind, `${participantId}-${kind}`, meetingId, `${participantId}-pt`],
    );
  }

  async consume(meetingId: string, participantId: string, target: string, kinds: readonly string[]): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      for (const kind of kinds)
        await manager.query(
          `INSERT INTO participant_consumers
             (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
           VALUES (?, 1, ?, ?, ?, ?, ?)`,
          [participantId, target, kind, `${participantId}<${target}-${kind}`, meetingId, `${participantId}-ct`],
        );
    });
  }

  async close(participantId: string, producerId: string, consumerIds: readonly string[]): Promise<void> {
    const sql = "DELETE FROM participant_producers WHERE participant_id = ? AND producer_id = ?";
    await this.dataSource.query(sql, [participantId, producerId]);
    for (const id of consumerIds)
      await this.dataSource.query("DELETE FROM participant_consumers WHERE consumer_id = ?", [id]);
  }

  async leave(meetingId: string, participantId: string, instanceId: string): Promise<void> {
    const sql = "DELETE FROM participant_meeting WHERE meeting_id = ? AND participant_id = ? AND instance_id = ?";
    await this.dataSource.query(sql, [meetingId, participantId, instanceId]);
  }

  async end(meetingId: string): Promise<void> {
    await this.dataSource.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meetingId]);
  }

  private async addRouters(
    manager: Pick<PlainDatabase, "query">,
    meetingId: string,
    containerId: string,
    workers: readonly [string, string],
  ): Promise<void> {
    const ids = [`${meetingId}-p`, `${meetingId}-c`];
    for (const [n, id] of ids.entries())
      await manager.query("INSERT INTO router_worker (worker_id, router_id) VALUES (?, ?)", [workers[n], id]);
    await manager.query(
      "INSERT INTO router_meeting (router_id, meeting_id, producer_capacity, container_id) VALUES (?, ?, ?, ?)",
      [ids[0], meetingId, 200, containerId],
    );
    await manager.query(
      "INSERT INTO router_meeting (router_id, meeting_id, consumer_capacity, container_id) VALUES (?, ?, ?, ?)",
      [ids[1], meetingId, 400, containerId],
    );
  }
}
