import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { runMigrations } from "../../../../src/mysql/migrator/migrator.js";
import type { MigrationEvent, StatementEvent } from "../../../../src/mysql/migrator/progress.js";
import { type Environment, type MysqlServer, startMysqlServer } from "../../../../src/testing/index.js";
import { RunningServices } from "../repositories/runningServices.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";
import { createHandmadeTables, fillHandmadeTables, MANY, rowPrints } from "./adoptedDatabase.js";
import { freshDatabase, schemaOf } from "./freshDatabase.js";
import { OtherPrograms } from "./otherPrograms.js";

/** Beside the rebuild of what it needs: one attempt of the migrator's to get a table, and the queue to clear. */
const MOMENT_MS = 1_500;

interface Span {
  readonly event: StatementEvent;
  readonly began: number;
  ended: number;
}

describe("adopting 100,000 rows while other programs use them", function () {
  this.timeout(240_000);
  let server: MysqlServer;
  let environment: Environment;
  let programs: OtherPrograms;

  before(async () => {
    server = await startMysqlServer();
    environment = await freshDatabase(server, "live");
    await withDataSource(environment, {}, async (database) => {
      await createHandmadeTables(database);
      await fillHandmadeTables(database, MANY);
    });
    programs = new OtherPrograms(environment);
  });
  after(async () => {
    await programs?.end();
    await server?.stop();
  });

  /** Each statement of the run, from when it is announced until the next thing is told. */
  const spansOf = () => {
    const spans: Span[] = [];
    const onProgress = (event: MigrationEvent) => {
      const last = spans.at(-1);
      if (last && event.kind !== "running" && last.ended === Infinity) last.ended = performance.now();
      if (event.kind === "statement") spans.push({ event, began: performance.now(), ended: Infinity });
    };
    return { spans, onProgress };
  };

  /** A small meeting's whole life, as the running services write it; nothing is left. */
  const liveThrough = async (services: RunningServices, meetingId: string) => {
    await services.createMeeting(meetingId, "live", ["live-0", "live-1"]);
    const [asha, ravi] = [`${meetingId}-asha`, `${meetingId}-ravi`];
    for (const id of [asha, ravi]) {
      await services.join(meetingId, id, "tab");
      await services.transport("producer", id, `${id}-pt`);
      await services.transport("consumer", id, `${id}-ct`);
      await services.produce(meetingId, id, "audio");
    }
    await services.consume(meetingId, ravi, asha, ["audio"]);
    await services.consume(meetingId, asha, ravi, ["audio"]);
    await services.close(asha, `${asha}-audio`, [`${ravi}<${asha}-audio`]);
    for (const id of [asha, ravi]) await services.leave(meetingId, id, "tab");
    await services.end(meetingId);
    await programs.query("DELETE FROM router_worker WHERE router_id IN (?)", [[`${meetingId}-p`, `${meetingId}-c`]]);
  };

  /** In a meeting that was there before. */
  const shareScreen = async (services: RunningServices, kind: string) => {
    const [meetingId, participantId] = ["meeting-é-3", "meeting-é-3-Asha-1"];
    await services.produce(meetingId, participantId, kind);
    await services.close(participantId, `${participantId}-${kind}`, []);
  };

  const READS = [
    "SELECT participant_id, instance_id FROM participant_meeting WHERE meeting_id = 'meeting-é-7'",
    "SELECT target_participant_id, consumer_id FROM participant_consumers WHERE participant_id = 'meeting-é-7-Asha-3'",
    "SELECT m.router_id, w.worker_id, h.host FROM router_meeting m JOIN router_worker w ON w.router_id = m.router_id " +
      "JOIN container_heartbeat h ON h.container_id = m.container_id WHERE m.meeting_id = 'meeting-é-7'",
  ];

  it("fails no statement of theirs, and lets none wait for longer than its own table's rebuild", async () => {
    const services = new RunningServices(programs);
    await services.boot("live", "acme", ["live-0", "live-1"]);
    await liveThrough(services, "before");
    const printsOf = async () => {
      const { container_heartbeat: _, ...prints } = await withDataSource(environment, {}, rowPrints);
      return prints;
    };
    const before = await printsOf();
    const { spans, onProgress } = spansOf();
    let running = true;
    const whileRunning = async (work: (round: number) => Promise<unknown>) => {
      for (let round = 0; running; round += 1) {
        await work(round);
        await pause(5);
      }
    };
    const traffic = Promise.all([
      whileRunning((round) => services.beat("live", BigInt(round))),
      whileRunning((round) => programs.query(READS[round % READS.length] as string)),
      // One of each kind only: the services' own joins and closes, two at a time, deadlock on any day.
      whileRunning((round) => liveThrough(services, `live-${round}`)),
      whileRunning((round) => shareScreen(services, `screen-${round}`)),
    ]);
    try {
      await Promise.race([runMigrations(mysqlConfig(environment), { onProgress }), traffic]);
    } finally {
      running = false;
    }
    await traffic;

    expect(programs.failures()).to.deep.equal([]);
    // MySQL locks both tables of a foreign key to exchange it, and lets a transaction between the two be the victim.
    expect(programs.deadlocks).to.be.below(10);
    const rebuilds = spans.filter(({ event }) => event.rebuilds);
    const longest = Math.max(...rebuilds.map(({ began, ended }) => ended - began));
    expect(programs.longestMs()).to.be.below(longest + MOMENT_MS);
    expect(programs.longestMs(/^UPDATE container_heartbeat/)).to.be.below(MOMENT_MS);
    expect(programs.longestMs(/^SELECT/)).to.be.below(MOMENT_MS);
    const rebuilt = spans.find(({ event }) => event.table === "participant_consumers" && event.blocks === "writers");
    const beats = programs.answered.filter(
      ({ sql, began, ended }) =>
        sql.startsWith("UPDATE container_heartbeat") &&
        began > (rebuilt?.began ?? Infinity) &&
        ended < (rebuilt?.ended ?? 0),
    );
    expect(beats.length, "beats during the rebuild of participant_consumers").to.be.above(5);
    expect(await printsOf()).to.deep.equal(before);
    const fresh = await freshDatabase(server, "fresh");
    await runMigrations(mysqlConfig(fresh));
    expect(await schemaOf(environment)).to.equal(await schemaOf(fresh));
  });
});
