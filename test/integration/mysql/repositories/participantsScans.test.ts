import { expect } from "chai";
import { Meetings, PARTICIPANT_TABLES } from "./meetingRows.js";
import { OPERATIONS } from "./operations.js";
import { fullScans, recordingDatabase } from "./scans.js";

const MEETINGS = 60;
const PARTICIPANTS = 40;
const TARGETS = 5;

const IDS = {
  meetingId: "m7",
  participantId: "m7/p3",
  instanceId: "i",
  producerRouterId: "m7/p",
  consumerRouterId: "m7/c1",
  transportId: "m7/p3<",
  producerId: "m7/p3:audio",
  consumerId: "m7/p3<-m7/p4:audio",
  target: "m7/p4",
  kind: "audio",
  excludeParticipantId: "m7/p4",
};

describe("participants, transports and media among many meetings", function () {
  this.timeout(120_000);
  const meetings = new Meetings();
  before(async () => {
    await meetings.open();
    await fill(meetings);
  });
  after(() => meetings.close());

  for (const operation of OPERATIONS)
    it(`${operation.name} reads no table from end to end`, async () => {
      const { database, statements } = recordingDatabase(meetings.dataSource);
      const given = operation.ids.map((id) => [id, IDS[id as keyof typeof IDS]]);
      const instance = operation.name === "join" ? { instanceId: "newer" } : {};
      const transport = { transportId: /producer/i.test(operation.name) ? "m7/p3>" : "m7/p3<" };
      const ids = {
        ...Object.fromEntries(given),
        ...instance,
        ...(operation.ids.includes("transportId") && transport),
      };
      await operation.run(undoing(database), ids).catch((error) => {
        if (error !== UNDO) throw error;
      });
      expect(statements).to.not.be.empty;
      expect(await fullScans(meetings.dataSource, statements)).to.deep.equal([]);
    });
});

const UNDO = new Error("Undone, so that the next operation finds the same");

/** The same database for every operation: what one does is rolled back. */
function undoing(database: ReturnType<typeof recordingDatabase>["database"]): typeof database {
  return {
    ...database,
    transaction: (work, options) =>
      database.transaction(async (tx) => {
        await work(tx);
        throw UNDO;
      }, options),
  };
}

async function fill(meetings: Meetings): Promise<void> {
  for (let m = 0; m < MEETINGS; m += 1) await meetings.create(`m${m}`);
  const meetingIds = Array.from({ length: MEETINGS }, (_, m) => `m${m}`);
  const people = meetingIds.flatMap((m) => Array.from({ length: PARTICIPANTS }, (_, p) => ({ m, p: `${m}/p${p}` })));
  const insert = (sql: string, rows: readonly (readonly unknown[])[]) =>
    meetings.database.execute(`INSERT INTO ${sql} VALUES ?`, [rows]);
  await insert(
    "participant_meeting (meeting_id, participant_id, instance_id)",
    people.map(({ m, p }) => [m, p, "i"]),
  );
  for (const [role, router, end] of [
    ["producer", "p", ">"],
    ["consumer", "c1", "<"],
  ]) {
    await insert(
      `participant_${role}_router (participant_id, router_id)`,
      people.map(({ m, p }) => [p, `${m}/${router}`]),
    );
    await insert(
      `participant_${role}_transport (participant_id, transport_id)`,
      people.map(({ p }) => [p, `${p}${end}`]),
    );
  }
  const kinds = ["audio", "video"];
  await insert(
    "participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)",
    people.flatMap(({ m, p }) => kinds.map((kind) => [p, 1, kind, `${p}:${kind}`, m, `${p}>`])),
  );
  await insert(
    `participant_consumers (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)`,
    people.flatMap(({ m, p }) =>
      Array.from({ length: TARGETS }, (_, t) => `${m}/p${t}`).flatMap((target) =>
        kinds.map((kind) => [p, 1, target, kind, `${p}<-${target}:${kind}`, m, `${p}<`]),
      ),
    ),
  );
  for (const table of [...PARTICIPANT_TABLES, "meeting_status", "router_meeting", "router_worker"])
    await meetings.database.query(`ANALYZE TABLE ${table}`);
}
