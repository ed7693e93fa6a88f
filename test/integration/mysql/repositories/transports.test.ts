import { expect } from "chai";
import {
  MeetingNotFoundError,
  ParticipantNotFoundError,
  TransportExistsError,
  TransportNotFoundError,
} from "../../../../src/errors.js";
import type { MediaRole } from "../../../../src/mysql/repositories/scope.js";
import { failureOf } from "../testDataSource.js";
import { Meetings, NASTY_IDS } from "./meetingRows.js";

const NOTHING_TO_CLOSE = { transportId: null, producerIds: [], consumerIds: [] };

describe("TransportRepository", function () {
  this.timeout(60_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());
  beforeEach(async () => {
    await meetings.empty();
    await meetings.create("m");
  });

  const join = (participantId: string, meetingId = "m") =>
    meetings.participants.join({ meetingId, participantId, instanceId: "i" });
  const request = (role: MediaRole, transportId: string, participantId = "p") => ({
    meetingId: "m",
    role,
    participantId,
    transportId,
  });

  for (const role of ["producer", "consumer"] as const) {
    describe(`for a ${role} transport`, () => {
      it("creates, finds, and knows it again", async () => {
        await join("p");
        expect(await meetings.transports.create(request(role, "t"))).to.equal("created");
        expect(await meetings.transports.create(request(role, "t"))).to.equal("already-exists");
        expect(await meetings.transports.find({ meetingId: "m", participantId: "p", role })).to.equal("t");
        expect(await meetings.rows(`participant_${role}_transport`)).to.deep.equal([
          { participant_id: "p", transport_id: "t" },
        ]);
      });

      it("refuses a second one, and one that is another participant's", async () => {
        for (const id of ["p", "q"]) await join(id);
        await meetings.transports.create(request(role, "t"));
        expect(await failureOf(meetings.transports.create(request(role, "t2")))).to.be.instanceOf(TransportExistsError);
        expect(await failureOf(meetings.transports.create(request(role, "t", "q")))).to.be.instanceOf(
          TransportExistsError,
        );
        expect(await meetings.rows(`participant_${role}_transport`)).to.have.length(1);
      });

      it("tells apart transports whose ids differ by case or accent", async () => {
        for (const id of NASTY_IDS) {
          await join(id);
          await meetings.transports.create(request(role, id, id));
        }
        for (const id of NASTY_IDS)
          expect(await meetings.transports.find({ meetingId: "m", participantId: id, role })).to.equal(id);
      });

      it("says what is missing, a row without transport included", async () => {
        const find = (meetingId: string) =>
          failureOf(meetings.transports.find({ meetingId, participantId: "p", role }));
        expect(await find("none")).to.be.instanceOf(MeetingNotFoundError);
        expect(await find("m")).to.be.instanceOf(ParticipantNotFoundError);
        for (const change of ["create", "recreate"] as const) {
          expect(await failureOf(meetings.transports[change](request(role, "t")))).to.be.instanceOf(
            ParticipantNotFoundError,
          );
          expect(
            await failureOf(meetings.transports[change]({ ...request(role, "t"), meetingId: "none" })),
          ).to.be.instanceOf(MeetingNotFoundError);
        }
        await join("p");
        expect(await find("m"))
          .to.be.instanceOf(TransportNotFoundError)
          .with.property("role", role);
        await meetings.database.execute(`INSERT INTO participant_${role}_transport (participant_id) VALUES ('p')`);
        expect(await find("m")).to.be.instanceOf(TransportNotFoundError);
        expect(await meetings.transports.recreate(request(role, "t"))).to.deep.equal(NOTHING_TO_CLOSE);
        expect(await meetings.transports.find({ meetingId: "m", participantId: "p", role })).to.equal("t");
      });

      it("recreates what was not there, and nothing when it is this one already", async () => {
        await join("p");
        expect(await meetings.transports.recreate(request(role, "t"))).to.deep.equal(NOTHING_TO_CLOSE);
        await meetings.transports.recreate(request(role === "producer" ? "consumer" : "producer", "u"));
        expect(await meetings.transports.recreate(request(role, "t"))).to.deep.equal(NOTHING_TO_CLOSE);
        expect(await meetings.counts()).to.include({
          participant_producer_transport: 1,
          participant_consumer_transport: 1,
        });
      });

      it("swaps whole or not at all", async () => {
        for (const id of ["p", "q"]) await meetings.enter("m", id, ["audio"]);
        for (const id of ["p", "q"]) await meetings.consume("m", id, ["p", "q"], ["audio"]);
        const before = await meetings.counts();
        const taken = role === "producer" ? "q>" : "q<";
        expect(await failureOf(meetings.transports.recreate(request(role, taken)))).to.be.instanceOf(
          TransportExistsError,
        );
        expect(await meetings.counts()).to.deep.equal(before);
        const found = await meetings.transports.find({ meetingId: "m", participantId: "p", role });
        expect(found).to.equal(role === "producer" ? "p>" : "p<");
      });

      it("lets concurrent swaps follow one another: each old transport is handed out once", async () => {
        await join("p");
        await meetings.transports.create(request(role, "t"));
        const ids = Array.from({ length: 12 }, (_, n) => `t${n}`);
        const replaced = await Promise.all(ids.map((id) => meetings.transports.recreate(request(role, id))));
        const last = await meetings.transports.find({ meetingId: "m", participantId: "p", role });
        const handedOut = replaced.map(({ transportId }) => transportId);
        expect([...handedOut, last]).to.have.members(["t", ...ids]);
      });
    });
  }

  describe("recreate", () => {
    beforeEach(async () => {
      for (const id of ["p", "q", "r"]) await meetings.enter("m", id, ["audio", "video"]);
      for (const id of ["p", "q", "r"]) await meetings.consume("m", id, ["p", "q", "r"], ["audio", "video"]);
    });

    it("hands out a producer transport's producers and everybody's consumers of them", async () => {
      const replaced = await meetings.transports.recreate(request("producer", "new"));
      expect(replaced.transportId).to.equal("p>");
      expect(replaced.producerIds).to.have.members(["p:audio", "p:video"]);
      const consumers = ["p", "q", "r"].flatMap((id) => [`${id}<-p:audio`, `${id}<-p:video`]);
      expect(replaced.consumerIds).to.have.members(consumers);
      expect(await meetings.counts()).to.include({ participant_producers: 4, participant_consumers: 12 });
      expect(await meetings.transports.find({ meetingId: "m", participantId: "p", role: "consumer" })).to.equal("p<");
    });

    it("hands out a consumer transport's consumers, and leaves everybody else's alone", async () => {
      const replaced = await meetings.transports.recreate(request("consumer", "new"));
      expect(replaced).to.deep.include({ transportId: "p<", producerIds: [] });
      const consumers = ["p", "q", "r"].flatMap((id) => [`p<-${id}:audio`, `p<-${id}:video`]);
      expect(replaced.consumerIds).to.have.members(consumers);
      expect(await meetings.counts()).to.include({ participant_producers: 6, participant_consumers: 12 });
    });

    it("works for everybody at once", async () => {
      const ids = ["p", "q", "r"];
      await Promise.all(
        ids.flatMap((id) => [
          meetings.transports.recreate(request("producer", `${id}>>`, id)),
          meetings.transports.recreate(request("consumer", `${id}<<`, id)),
        ]),
      );
      expect(await meetings.counts()).to.include({
        participant_producers: 0,
        participant_consumers: 0,
        participant_producer_transport: 3,
        participant_consumer_transport: 3,
      });
    });
  });
});
