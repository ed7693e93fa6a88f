import { expect } from "chai";
import {
  HostNotFoundError,
  MeetingNotFoundError,
  ParticipantElsewhereError,
  ParticipantNotFoundError,
  RouterNotFoundError,
} from "../../../../src/errors.js";
import { fnv1a32 } from "../../../../src/mysql/repositories/fnv1a.js";
import { failureOf } from "../testDataSource.js";
import { Meetings, NASTY_IDS, NOTHING, PARTICIPANT_TABLES } from "./meetingRows.js";

describe("ParticipantRepository", function () {
  this.timeout(60_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());
  beforeEach(() => meetings.empty());

  const scope = { meetingId: "m", participantId: "p" };
  const join = (changes: Partial<Parameters<typeof meetings.participants.join>[0]> = {}) =>
    meetings.participants.join({ ...scope, instanceId: "i", ...changes });

  describe("allocateRouters", () => {
    it("takes the hash modulo the consumer routers in byte order, whatever order their rows are in", async () => {
      const ordered = ["B", "a", "z", "é", "～", "😀"];
      const producers = [{ routerId: "producer", producer: 4 }];
      for (const order of [ordered, ordered.toReversed()]) {
        await meetings.empty();
        await meetings.create("m", [...order.map((routerId) => ({ routerId, consumer: 2 })), ...producers]);
        for (const participantId of NASTY_IDS) {
          const allocated = await meetings.participants.allocateRouters({ meetingId: "m", participantId });
          const consumerRouterId = ordered[fnv1a32(participantId) % ordered.length];
          expect(allocated).to.deep.equal({ host: "host", producerRouterId: "producer", consumerRouterId });
        }
      }
    });

    it("lets a router that was given a capacity for both serve both", async () => {
      await meetings.create("m", [{ routerId: "both", both: 4 }]);
      expect(await meetings.participants.allocateRouters(scope)).to.deep.equal({
        host: "host",
        producerRouterId: "both",
        consumerRouterId: "both",
      });
    });

    it("says what is missing instead of an empty id", async () => {
      const failure = () => failureOf(meetings.participants.allocateRouters(scope));
      expect(await failure()).to.be.instanceOf(MeetingNotFoundError);
      await meetings.create("m", []);
      expect(await failure())
        .to.be.instanceOf(RouterNotFoundError)
        .with.property("role", "producer");
      await meetings.empty();
      await meetings.create("m", [{ routerId: "r", producer: 4 }]);
      expect(await failure())
        .to.be.instanceOf(RouterNotFoundError)
        .with.property("role", "consumer");
      await meetings.empty();
      await meetings.create("m", undefined, null);
      expect(await failure()).to.be.instanceOf(HostNotFoundError);
      await meetings.database.execute("DELETE FROM container_heartbeat");
      expect(await failure()).to.be.instanceOf(HostNotFoundError);
    });

    it("finds the node by the router's meeting where the worker is not known", async () => {
      await meetings.create("m");
      await meetings.database.execute("UPDATE router_worker SET worker_id = NULL");
      expect(await meetings.participants.allocateRouters(scope)).to.include({ host: "host" });
    });
  });

  describe("join", () => {
    it("puts the producer router and the consumer router where they belong", async () => {
      await meetings.create("m");
      expect(await join({ producerRouterId: "m/p", consumerRouterId: "m/c1" })).to.equal("joined");
      expect(await meetings.rows("participant_producer_router")).to.deep.equal([
        { participant_id: "p", router_id: "m/p" },
      ]);
      expect(await meetings.rows("participant_consumer_router")).to.deep.equal([
        { participant_id: "p", router_id: "m/c1" },
      ]);
    });

    it("refuses swapped routers and those of another meeting, and leaves nothing behind", async () => {
      await meetings.create("m");
      await meetings.create("other");
      const wrong = [
        { producerRouterId: "m/c1", consumerRouterId: "m/p" },
        { consumerRouterId: "m/p" },
        { producerRouterId: "m/p", consumerRouterId: "other/c1" },
        { producerRouterId: "nowhere" },
      ];
      for (const routers of wrong) expect(await failureOf(join(routers))).to.be.instanceOf(RouterNotFoundError);
      expect(await meetings.counts()).to.deep.equal(NOTHING);
    });

    it("changes nothing for the instance that is there", async () => {
      await meetings.create("m");
      await meetings.enter("m", "p", ["audio"]);
      const before = await meetings.counts();
      expect(await join({ consumerRouterId: "m/c2" })).to.equal("already-joined");
      expect(await meetings.counts()).to.deep.equal(before);
    });

    it("replaces an older instance with all it had, and others' consumers of it", async () => {
      await meetings.create("m");
      for (const id of ["p", "q", "r"]) await meetings.enter("m", id, ["audio"]);
      await meetings.consume("m", "p", ["q"], ["audio"]);
      await meetings.consume("m", "q", ["p", "r"], ["audio"]);
      expect(await join({ instanceId: "new", consumerRouterId: "m/c1" })).to.equal("replaced-instance");
      expect(await meetings.participants.describe("p", "m")).to.deep.equal({
        meetingId: "m",
        participantId: "p",
        instanceId: "new",
        host: "host",
        producerRouterId: null,
        consumerRouterId: "m/c1",
        producerTransportId: null,
        consumerTransportId: null,
        producerIds: [],
        consumerIds: [],
      });
      expect(await meetings.participants.describe("q", "m")).to.deep.include({
        producerIds: ["q:audio"],
        consumerIds: ["q<-r:audio"],
      });
    });

    it("takes over a row without instance, and one without meeting", async () => {
      await meetings.create("m");
      const insert = "INSERT INTO participant_meeting (meeting_id, participant_id) VALUES (?, ?)";
      await meetings.database.execute(insert, ["m", "p"]);
      await meetings.database.execute(insert, [null, "q"]);
      expect(await join()).to.equal("replaced-instance");
      expect(await join({ participantId: "q" })).to.equal("joined");
      expect(await meetings.participants.list("m")).to.have.length(2);
    });

    it("tells a missing meeting and another meeting apart, and does not name the other", async () => {
      expect(await failureOf(join())).to.be.instanceOf(MeetingNotFoundError);
      await meetings.create("m");
      await meetings.create("elsewhere");
      await join();
      const failure = await failureOf(join({ meetingId: "elsewhere" }));
      expect(failure).to.be.instanceOf(ParticipantElsewhereError);
      expect(JSON.stringify(failure)).to.not.match(/"m"/);
      expect(await meetings.participants.list("elsewhere")).to.deep.equal([]);
      expect(await meetings.participants.list("m")).to.have.length(1);
    });

    it("agrees with itself when one instance joins many times at once", async () => {
      await meetings.create("m");
      const outcomes = await Promise.all(Array.from({ length: 16 }, () => join({ producerRouterId: "m/p" })));
      expect(outcomes.filter((outcome) => outcome === "joined")).to.have.length(1);
      expect(outcomes.filter((outcome) => outcome === "already-joined")).to.have.length(15);
      expect(await meetings.rows("participant_meeting")).to.have.length(1);
    });

    it("lets one of many instances stay, and replaces each other exactly once", async () => {
      await meetings.create("m");
      const outcomes = await Promise.all(
        Array.from({ length: 16 }, (_, n) => join({ instanceId: `i${n}`, consumerRouterId: "m/c1" })),
      );
      expect(outcomes.filter((outcome) => outcome === "joined")).to.have.length(1);
      expect(outcomes.filter((outcome) => outcome === "replaced-instance")).to.have.length(15);
      expect(await meetings.counts()).to.include({ participant_meeting: 1, participant_consumer_router: 1 });
    });

    it("lets a participant who joins two meetings at once into one of them", async () => {
      for (const id of ["m", "n"]) await meetings.create(id);
      for (let round = 0; round < 10; round += 1) {
        const participantId = `p${round}`;
        const attempts = ["m", "n", "m", "n"].map((meetingId) => join({ meetingId, participantId }));
        const settled = await Promise.allSettled(attempts);
        const failures = settled.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
        expect(failures).to.have.length(2);
        for (const failure of failures) expect(failure).to.be.instanceOf(ParticipantElsewhereError);
      }
      expect(await meetings.rows("participant_meeting")).to.have.length(10);
    });

    it("lets a crowd in at once", async () => {
      await meetings.create("m");
      const crowd = Array.from({ length: 60 }, (_, n) => join({ participantId: `p${n}`, consumerRouterId: "m/c1" }));
      expect(new Set(await Promise.all(crowd))).to.deep.equal(new Set(["joined"]));
      expect(await meetings.participants.list("m")).to.have.length(60);
    });
  });

  describe("leave", () => {
    it("does not remove the instance that replaced the one that leaves", async () => {
      await meetings.create("m");
      await join({ instanceId: "old" });
      await join({ instanceId: "new" });
      expect(await meetings.participants.leave({ ...scope, instanceId: "old" })).to.equal("not-in-meeting");
      expect(await meetings.participants.leave({ ...scope, instanceId: "NEW" })).to.equal("not-in-meeting");
      expect(await meetings.participants.leave({ ...scope, instanceId: "new" })).to.equal("left");
      expect(await meetings.participants.leave({ ...scope, instanceId: "new" })).to.equal("not-in-meeting");
    });

    it("is not in a meeting that does not exist, nor in another", async () => {
      await meetings.create("m");
      await meetings.create("other");
      await join();
      for (const meetingId of ["other", "none"])
        expect(await meetings.participants.leave({ ...scope, meetingId, instanceId: "i" })).to.equal("not-in-meeting");
      expect(await meetings.participants.list("m")).to.have.length(1);
    });

    it("leaves no row behind, of a viewer who produces nothing either", async () => {
      await meetings.create("m");
      for (const id of ["a", "b"]) await meetings.enter("m", id, ["audio", "video"]);
      await meetings.enter("m", "viewer");
      await meetings.consume("m", "viewer", ["a", "b"], ["audio", "video"]);
      await meetings.consume("m", "a", ["b"], ["audio", "video"]);
      const leave = (participantId: string) =>
        meetings.participants.leave({ meetingId: "m", participantId, instanceId: "i" });
      await leave("viewer");
      expect(await meetings.counts()).to.include({ participant_consumers: 2, participant_meeting: 2 });
      await leave("b");
      expect(await meetings.counts()).to.deep.equal({
        ...Object.fromEntries(PARTICIPANT_TABLES.map((table) => [table, 1])),
        participant_consumers: 0,
        participant_producers: 2,
      });
      await leave("a");
      expect(await meetings.counts()).to.deep.equal(NOTHING);
    });

    it("is right for everybody at once, each consuming each", async () => {
      await meetings.create("m");
      const ids = Array.from({ length: 12 }, (_, n) => `p${n}`);
      for (const id of ids) await meetings.enter("m", id, ["audio"]);
      for (const id of ids) await meetings.consume("m", id, ids, ["audio"]);
      expect(await meetings.counts()).to.include({ participant_consumers: 144 });
      const outcomes = await Promise.all(
        ids.map((participantId) => meetings.participants.leave({ meetingId: "m", participantId, instanceId: "i" })),
      );
      expect(new Set(outcomes)).to.deep.equal(new Set(["left"]));
      expect(await meetings.counts()).to.deep.equal(NOTHING);
    });
  });

  describe("describe", () => {
    it("tells all 198 consumers of a viewer who produces nothing", async () => {
      await meetings.create("m");
      await meetings.enter("m", "viewer");
      const ids = Array.from({ length: 99 }, (_, n) => `participant-with-a-long-id-${n}`);
      for (const id of ids) await join({ participantId: id });
      await meetings.consume("m", "viewer", ids, ["audio", "video"]);
      const { consumerIds, ...rest } = await meetings.participants.describe("viewer", "m");
      expect(consumerIds).to.have.members(
        ids.flatMap((id) => ["audio", "video"].map((kind) => `viewer<-${id}:${kind}`)),
      );
      expect(rest).to.deep.include({ producerIds: [], host: "host", consumerTransportId: "viewer<" });
    });

    it("finds the host of one who was given no router", async () => {
      await meetings.create("m");
      await join();
      expect(await meetings.participants.describe("p", "m")).to.include({ host: "host", producerRouterId: null });
    });

    it("says what is missing", async () => {
      const failure = () => failureOf(meetings.participants.describe("p", "m"));
      expect(await failure()).to.be.instanceOf(MeetingNotFoundError);
      await meetings.create("m", undefined, null);
      expect(await failure()).to.be.instanceOf(ParticipantNotFoundError);
      await join();
      expect(await failure()).to.be.instanceOf(HostNotFoundError);
    });
  });

  describe("list", () => {
    it("has everyone of the meeting and nobody else, in order", async () => {
      expect(await failureOf(meetings.participants.list("m"))).to.be.instanceOf(MeetingNotFoundError);
      await meetings.create("m");
      await meetings.create("other");
      expect(await meetings.participants.list("m")).to.deep.equal([]);
      await join({ participantId: "stranger", meetingId: "other" });
      for (const participantId of NASTY_IDS) await join({ participantId, producerRouterId: "m/p" });
      const list = await meetings.participants.list("m");
      expect(list.map(({ participantId }) => participantId)).to.have.members([...NASTY_IDS]);
      for (const { instanceId, producerRouterId, consumerRouterId } of list)
        expect([instanceId, producerRouterId, consumerRouterId]).to.deep.equal(["i", "m/p", null]);
      const words = list.map(({ participantId }) => participantId).filter((id) => /^[!-~]+$/.test(id));
      expect(words).to.deep.equal(words.toSorted());
    });
  });
});
