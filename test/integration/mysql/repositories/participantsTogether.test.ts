import { expect } from "chai";
import { DataError, ParticipantNotFoundError, TransportExistsError } from "../../../../src/errors.js";
import type { Database } from "../../../../src/mysql/repositories/database.js";
import { createRepositories } from "../../../../src/mysql/repositories/index.js";
import { failureOf } from "../testDataSource.js";
import { Meetings, NOTHING } from "./meetingRows.js";

const CALLERS = 24;
const ROUNDS = 40;
const PEOPLE = ["a", "b", "c", "d", "e", "f"];
const KINDS = ["audio", "video"];

describe("participants, transports and media together", function () {
  this.timeout(120_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());
  beforeEach(async () => {
    await meetings.empty();
    await meetings.create("m");
  });

  it("fit together in the end when many callers do everything at once, and no deadlock reaches a caller", async () => {
    const operations = randomOperations(meetings);
    const refusals = new Set<string>();
    const caller = async () => {
      for (let round = 0; round < ROUNDS; round += 1)
        await pick(operations)().catch((error: unknown) => {
          if (!(error instanceof DataError)) throw error;
          refusals.add(error.code);
        });
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    expect(["ErrParticipantNotFound", "ErrTransportNotFound", "ErrTransportExists"]).to.include.members([...refusals]);
    for (const [media, role] of [
      ["participant_producers", "producer"],
      ["participant_consumers", "consumer"],
    ])
      expect(
        await meetings.database.query(
          `SELECT media.transport_id FROM ${media} media
             LEFT JOIN participant_${role}_transport USING (participant_id, transport_id)
             LEFT JOIN participant_meeting USING (participant_id, meeting_id)
           WHERE participant_${role}_transport.transport_id IS NULL OR participant_meeting.instance_id IS NULL`,
        ),
      ).to.deep.equal([]);
    for (const participantId of PEOPLE)
      for (const instanceId of ["i", "j"])
        await meetings.participants.leave({ meetingId: "m", participantId, instanceId });
    expect(await meetings.counts()).to.deep.equal(NOTHING);
  });

  describe("inside one transaction", () => {
    const repositoriesIn = (tx: Database) => createRepositories(tx);

    it("are all done or all undone", async () => {
      const undone = new Error("undone");
      const enter = async (tx: Database) => {
        const { participants, transports, media } = repositoriesIn(tx);
        const scope = { meetingId: "m", participantId: "p" };
        await participants.join({ ...scope, instanceId: "i", ...(await participants.allocateRouters(scope)) });
        await transports.create({ ...scope, role: "producer", transportId: "t" });
        await media.createProducer({ ...scope, kind: "audio", producerId: "x", transportId: "t" });
        expect(await participants.describe("p", "m")).to.deep.include({ producerIds: ["x"] });
        await transports.recreate({ ...scope, role: "producer", transportId: "t2" });
      };
      const failing = meetings.database.transaction(async (tx) => {
        await enter(tx);
        throw undone;
      });
      expect(await failureOf(failing)).to.equal(undone);
      expect(await meetings.counts()).to.deep.equal(NOTHING);
      await meetings.database.transaction(enter);
      expect(await meetings.transports.find({ meetingId: "m", participantId: "p", role: "producer" })).to.equal("t2");
    });

    it("leave nothing half done of an operation that fails and is caught", async () => {
      for (const id of ["p", "q"]) await meetings.enter("m", id, KINDS);
      const before = await meetings.counts();
      await meetings.database.transaction(async (tx) => {
        const request = { meetingId: "m", participantId: "p", role: "producer", transportId: "q>" } as const;
        const failure = await failureOf(repositoriesIn(tx).transports.recreate(request));
        expect(failure).to.be.instanceOf(TransportExistsError);
        await repositoriesIn(tx).participants.join({ meetingId: "m", participantId: "r", instanceId: "i" });
      });
      expect(await meetings.counts()).to.deep.equal({ ...before, participant_meeting: 3 });
    });
  });

  describe("beside a media server with its own SQL", () => {
    const JOIN = [
      "INSERT INTO participant_meeting (meeting_id, participant_id, instance_id) VALUES ('m', ?, 'i')",
      "INSERT INTO participant_producer_router (participant_id, router_id) VALUES (?, 'm/p')",
      "INSERT INTO participant_consumer_router (participant_id, router_id) VALUES (?, 'm/c1')",
      "INSERT INTO participant_producer_transport (participant_id, transport_id) VALUES (?, 'send')",
      "INSERT INTO participant_consumer_transport (participant_id, transport_id) VALUES (?, 'receive')",
    ];
    const run = (sql: string, ...params: readonly string[]) => meetings.database.execute(sql, params);

    beforeEach(async () => {
      await meetings.enter("m", "ours", KINDS);
      for (const statement of JOIN) await run(statement, "theirs");
      await run(
        `INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)
         VALUES ('theirs', 1, 'audio', 'x', 'm', 'send')`,
      );
      await run(
        `INSERT INTO participant_consumers
           (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
         VALUES ('theirs', 1, 'ours', 'video', 'k', 'm', 'receive')`,
      );
      await meetings.consume("m", "ours", ["theirs"], ["audio"]);
    });

    it("see what it wrote", async () => {
      const scope = { meetingId: "m", participantId: "theirs" };
      expect(await meetings.participants.describe("theirs", "m")).to.deep.equal({
        ...scope,
        instanceId: "i",
        host: "host",
        producerRouterId: "m/p",
        consumerRouterId: "m/c1",
        producerTransportId: "send",
        consumerTransportId: "receive",
        producerIds: ["x"],
        consumerIds: ["k"],
      });
      const { producers } = await meetings.media.consumerContext({
        meetingId: "m",
        participantId: "ours",
        targets: { theirs: KINDS },
      });
      expect(producers).to.deep.equal([{ targetParticipantId: "theirs", kind: "audio", producerId: "x" }]);
      const closed = await meetings.media.closeProducers({ ...scope, producerIds: ["x"] });
      expect(closed).to.deep.equal({ producerIds: ["x"], consumerIds: ["ours<-theirs:audio"] });
      expect(await meetings.participants.leave({ ...scope, instanceId: "i" })).to.equal("left");
      expect(await meetings.counts()).to.include({ participant_meeting: 1, participant_consumers: 0 });
    });

    it("see what it closed, swapped and removed", async () => {
      await run("DELETE FROM participant_consumers WHERE consumer_id = ?", "k");
      await run("DELETE FROM participant_producers WHERE participant_id = ? AND producer_id = ?", "ours", "ours:audio");
      await run("DELETE FROM participant_consumer_transport WHERE participant_id = ?", "ours");
      await run(
        "INSERT INTO participant_consumer_transport (participant_id, transport_id) VALUES (?, 'again')",
        "ours",
      );
      const ours = await meetings.participants.describe("ours", "m");
      expect(ours).to.deep.include({ producerIds: ["ours:video"], consumerIds: [], consumerTransportId: "again" });
      expect((await meetings.participants.describe("theirs", "m")).consumerIds).to.deep.equal([]);
      await run(
        "DELETE FROM participant_meeting WHERE meeting_id = 'm' AND participant_id = ? AND instance_id = 'i'",
        "ours",
      );
      expect(await failureOf(meetings.participants.describe("ours", "m"))).to.be.instanceOf(ParticipantNotFoundError);
      expect(await meetings.media.listProducers("m")).to.have.length(1);
    });
  });
});

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

function randomOperations({ participants, transports, media }: Meetings): readonly (() => Promise<unknown>)[] {
  let made = 0;
  const someone = () => ({ meetingId: "m", participantId: pick(PEOPLE) });
  const request = (role: "producer" | "consumer") => {
    made += 1;
    return { ...someone(), role, transportId: `${role}${made}` };
  };
  const produce = async () => {
    const scope = someone();
    const transportId = await transports.find({ ...scope, role: "producer" });
    await media.createProducer({ ...scope, kind: pick(KINDS), producerId: pick(["x", "y", "z"]), transportId });
  };
  const consume = async () => {
    const scope = someone();
    const transportId = await transports.find({ ...scope, role: "consumer" });
    const consumer = (kind: string) => {
      made += 1;
      return { kind, consumerId: `consumer${made}` };
    };
    const targets = new Map(PEOPLE.filter(() => Math.random() < 0.5).map((id) => [id, KINDS.map(consumer)]));
    await media.createConsumers({ ...scope, transportId, targets });
  };
  const closeAll = async () => {
    const { participantId, consumerIds } = await participants.describe(pick(PEOPLE), "m");
    await media.closeConsumers({ meetingId: "m", participantId, consumerIds });
  };
  return [
    () => participants.join({ ...someone(), instanceId: pick(["i", "j"]), consumerRouterId: "m/c1" }),
    () => participants.leave({ ...someone(), instanceId: pick(["i", "j"]) }),
    () => participants.list("m"),
    () => transports.create(request("producer")),
    () => transports.create(request("consumer")),
    () => transports.recreate(request("producer")),
    () => transports.recreate(request("consumer")),
    produce,
    consume,
    () => media.closeProducers({ ...someone(), producerIds: ["x", pick(["y", "z"])] }),
    closeAll,
  ];
}
