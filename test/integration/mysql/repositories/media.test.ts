import { expect } from "chai";
import {
  HostNotFoundError,
  IdTakenError,
  MeetingNotFoundError,
  ParticipantNotFoundError,
  RouterNotFoundError,
  TransportNotFoundError,
} from "../../../../src/errors.js";
import { MediaRepository } from "../../../../src/mysql/repositories/media.js";
import { failureOf } from "../testDataSource.js";
import { Meetings, NASTY_IDS } from "./meetingRows.js";
import { recordingDatabase } from "./scans.js";

const KINDS = ["audio", "video"];

describe("MediaRepository", function () {
  this.timeout(60_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());
  beforeEach(async () => {
    await meetings.empty();
    await meetings.create("m");
  });

  const of = (participantId: string, meetingId = "m") => ({ meetingId, participantId });
  const enter = async (...ids: readonly string[]) => {
    for (const id of ids) await meetings.enter("m", id, KINDS);
  };

  describe("createProducer", () => {
    const audio = { ...of("p"), kind: "audio", producerId: "a", transportId: "p>" };

    it("writes what the media server writes", async () => {
      await meetings.enter("m", "p");
      expect(await meetings.media.createProducer(audio)).to.equal("created");
      expect(await meetings.media.createProducer(audio)).to.equal("already-exists");
      expect(await meetings.rows("participant_producers")).to.deep.equal([
        { participant_id: "p", producers: 1, kind: "audio", producer_id: "a", meeting_id: "m", transport_id: "p>" },
      ]);
    });

    it("says what is missing", async () => {
      const failure = (changes: Partial<typeof audio>) =>
        failureOf(meetings.media.createProducer({ ...audio, ...changes }));
      expect(await failure({ meetingId: "none" })).to.be.instanceOf(MeetingNotFoundError);
      expect(await failure({})).to.be.instanceOf(ParticipantNotFoundError);
      await meetings.enter("m", "p");
      await meetings.enter("m", "q");
      for (const transportId of ["none", "q>", "p<", "P>"])
        expect(await failure({ transportId })).to.be.instanceOf(TransportNotFoundError);
      await meetings.transports.recreate({ ...of("p"), role: "producer", transportId: "new" });
      expect(await failure({})).to.be.instanceOf(TransportNotFoundError);
      expect(await meetings.rows("participant_producers")).to.deep.equal([]);
    });
  });

  describe("closeProducers", () => {
    it("removes the producers named and everybody's consumers of them, and nothing else", async () => {
      await enter("p", "q", "r");
      for (const id of ["q", "r"]) await meetings.consume("m", id, ["p", "q"], KINDS);
      const closed = await meetings.media.closeProducers({
        ...of("p"),
        producerIds: ["p:audio", "q:audio", "none", "P:video"],
      });
      expect(closed.producerIds).to.deep.equal(["p:audio"]);
      expect(closed.consumerIds).to.have.members(["q<-p:audio", "r<-p:audio"]);
      expect(await meetings.counts()).to.include({ participant_producers: 5, participant_consumers: 6 });
      const again = await meetings.media.closeProducers({ ...of("p"), producerIds: ["p:audio"] });
      expect(again).to.deep.equal({ producerIds: [], consumerIds: [] });
    });

    it("keeps consumers as long as a producer of their kind is left", async () => {
      await enter("p", "q");
      const second = { ...of("p"), kind: "video", producerId: "second", transportId: "p>" };
      await meetings.media.createProducer(second);
      await meetings.consume("m", "q", ["p"], KINDS);
      const close = (producerIds: string[]) => meetings.media.closeProducers({ ...of("p"), producerIds });
      expect(await close(["p:video"])).to.deep.equal({ producerIds: ["p:video"], consumerIds: [] });
      expect(await close(["second"])).to.deep.equal({ producerIds: ["second"], consumerIds: ["q<-p:video"] });
    });

    it("closes nothing for a participant who is not there", async () => {
      await enter("p");
      for (const scope of [of("q"), of("p", "none")])
        expect(await meetings.media.closeProducers({ ...scope, producerIds: ["p:audio"] })).to.deep.equal({
          producerIds: [],
          consumerIds: [],
        });
      expect(await meetings.counts()).to.include({ participant_producers: 2 });
    });
  });

  describe("listProducers", () => {
    it("lists a meeting's producers, one participant excluded by their exact id", async () => {
      expect(await failureOf(meetings.media.listProducers("none"))).to.be.instanceOf(MeetingNotFoundError);
      expect(await meetings.media.listProducers("m")).to.deep.equal([]);
      await enter("p", "P");
      await meetings.create("other");
      await meetings.enter("other", "stranger", KINDS);
      const all = ["p", "P"].flatMap((participantId) =>
        KINDS.map((kind) => ({ participantId, kind, producerId: `${participantId}:${kind}` })),
      );
      expect(await meetings.media.listProducers("m")).to.have.deep.members(all);
      const others = await meetings.media.listProducers("m", { excludeParticipantId: "p" });
      expect(others).to.have.deep.members(all.filter(({ participantId }) => participantId === "P"));
      const none = await meetings.media.listProducers("other", { excludeParticipantId: "stranger" });
      expect(none).to.deep.equal([]);
    });
  });

  describe("findProducerIds", () => {
    it("finds the producers of the kinds asked for", async () => {
      await enter("p");
      const find = (kinds: string[]) => meetings.media.findProducerIds({ ...of("p"), kinds });
      expect(await find(["video", "Audio", "screen"])).to.deep.equal([{ kind: "video", producerId: "p:video" }]);
      expect(await find(KINDS)).to.have.length(2);
      expect(await find(["screen"])).to.deep.equal([]);
      expect(await find([])).to.deep.equal([]);
    });

    it("says what is missing", async () => {
      const find = (meetingId: string) =>
        failureOf(meetings.media.findProducerIds({ ...of("p", meetingId), kinds: KINDS }));
      expect(await find("none")).to.be.instanceOf(MeetingNotFoundError);
      expect(await find("m")).to.be.instanceOf(ParticipantNotFoundError);
    });
  });

  describe("createConsumers", () => {
    it("writes what the media server writes, in the order asked for", async () => {
      await enter("p", "q", "r");
      const created = await meetings.consume("m", "p", ["r", "q"], ["video"]);
      expect(created).to.deep.equal([
        { targetParticipantId: "r", kind: "video", consumerId: "p<-r:video" },
        { targetParticipantId: "q", kind: "video", consumerId: "p<-q:video" },
      ]);
      const rows = await meetings.rows("participant_consumers");
      expect(rows).to.have.length(2);
      expect(rows).to.deep.include({
        participant_id: "p",
        consumers: 1,
        target_participant_id: "q",
        kind: "video",
        consumer_id: "p<-q:video",
        meeting_id: "m",
        transport_id: "p<",
      });
    });

    it("keeps the first consumer of a target and kind, and says which that is", async () => {
      await enter("p", "q");
      await meetings.consume("m", "p", ["q"], ["audio"]);
      const targets = {
        q: [
          { kind: "audio", consumerId: "second" },
          { kind: "video", consumerId: "v1" },
          { kind: "video", consumerId: "v2" },
        ],
      };
      const create = () => meetings.media.createConsumers({ ...of("p"), transportId: "p<", targets });
      const stored = [
        { targetParticipantId: "q", kind: "audio", consumerId: "p<-q:audio" },
        { targetParticipantId: "q", kind: "video", consumerId: "v1" },
        { targetParticipantId: "q", kind: "video", consumerId: "v1" },
      ];
      expect(await create()).to.deep.equal(stored);
      expect(await create()).to.deep.equal(stored);
      expect(await meetings.rows("participant_consumers")).to.have.length(2);
    });

    it("agrees with itself when the same is created many times at once", async () => {
      await enter("p", "q", "r");
      const create = (n: number) =>
        meetings.media.createConsumers({
          ...of("p"),
          transportId: "p<",
          targets: { q: [{ kind: "audio", consumerId: `q${n}` }], r: [{ kind: "audio", consumerId: `r${n}` }] },
        });
      const results = await Promise.all(Array.from({ length: 12 }, (_, n) => create(n)));
      const ids = new Set(results.map((consumers) => JSON.stringify(consumers)));
      expect(ids.size).to.equal(1);
      expect(await meetings.rows("participant_consumers")).to.have.length(2);
    });

    it("writes nothing when a consumer id is another's", async () => {
      await enter("p", "q");
      await meetings.consume("m", "q", ["p"], ["audio"]);
      const targets = { q: KINDS.map((kind) => ({ kind, consumerId: kind === "audio" ? "fresh" : "q<-p:audio" })) };
      const request = { ...of("p"), transportId: "p<", targets };
      expect(await failureOf(meetings.media.createConsumers(request))).to.be.instanceOf(IdTakenError);
      expect(await meetings.rows("participant_consumers")).to.have.length(1);
    });

    it("says what is missing and writes nothing", async () => {
      await enter("p", "q");
      await meetings.create("other");
      await meetings.enter("other", "stranger", KINDS);
      const one = [{ kind: "audio", consumerId: "k" }];
      const request = { ...of("p"), transportId: "p<", targets: { q: one } };
      const failure = (changes: Partial<typeof request> | object) =>
        failureOf(meetings.media.createConsumers({ ...request, ...changes }));
      expect(await failure({ meetingId: "none" })).to.be.instanceOf(MeetingNotFoundError);
      expect(await failure({ participantId: "none" })).to.include({ participantId: "none" });
      for (const target of ["stranger", "none", "Q"]) {
        const targets = { [target]: [{ kind: "video", consumerId: "k2" }], q: one };
        const error = await failure({ targets });
        expect(error).to.be.instanceOf(ParticipantNotFoundError).with.property("participantId", target);
      }
      for (const transportId of ["none", "q<", "p>", "stranger<"])
        expect(await failure({ transportId })).to.be.instanceOf(TransportNotFoundError);
      expect(await meetings.rows("participant_consumers")).to.deep.equal([]);
    });

    it("takes any id for a target", async () => {
      await enter("p");
      for (const id of NASTY_IDS) await meetings.participants.join({ ...of(id), instanceId: "i" });
      const targets = new Map(NASTY_IDS.map((id, n) => [id, [{ kind: id, consumerId: `k${n}` }]]));
      const created = await meetings.media.createConsumers({ ...of("p"), transportId: "p<", targets });
      expect(created).to.have.length(NASTY_IDS.length);
      const asObject = JSON.parse(JSON.stringify(Object.fromEntries(NASTY_IDS.map((id) => [id, [id]]))));
      expect(Object.hasOwn(asObject, "__proto__")).to.equal(true);
      const found = await meetings.media.findConsumerIds({ ...of("p"), targets: asObject });
      expect(found).to.have.deep.members([...created]);
    });

    it("writes 200 consumers in one statement", async () => {
      await enter("p");
      const ids = Array.from({ length: 100 }, (_, n) => `q${n}`);
      for (const id of ids) await meetings.participants.join({ ...of(id), instanceId: "i" });
      const recorder = recordingDatabase(meetings.dataSource);
      const targets = new Map(
        ids.map((id) => [id, KINDS.map((kind) => ({ kind, consumerId: `${id}:${kind}` }))] as const),
      );
      const created = await new MediaRepository(recorder.database).createConsumers({
        ...of("p"),
        transportId: "p<",
        targets,
      });
      expect(created).to.have.length(200);
      expect(recorder.statements.filter(({ sql }) => sql.startsWith("INSERT"))).to.have.length(1);
      expect(await meetings.rows("participant_consumers")).to.have.length(200);
    });
  });

  describe("closeConsumers", () => {
    it("closes one person's consumers and nobody else's", async () => {
      await enter("p", "q", "r");
      for (const id of ["p", "q"]) await meetings.consume("m", id, ["p", "q", "r"], KINDS);
      const close = (participantId: string, consumerIds: string[]) =>
        meetings.media.closeConsumers({ ...of(participantId), consumerIds });
      expect(await close("p", ["q<-r:audio", "q<-p:audio"])).to.equal(0);
      expect(await close("p", ["p<-r:audio", "p<-r:video", "p<-R:audio", "q<-r:audio"])).to.equal(2);
      expect(await close("p", ["p<-r:audio"])).to.equal(0);
      expect(await close("p", [])).to.equal(0);
      const other = { ...of("p", "other"), consumerIds: ["p<-q:audio"] };
      expect(await meetings.media.closeConsumers(other)).to.equal(0);
      expect(await meetings.counts()).to.include({ participant_consumers: 10 });
    });
  });

  describe("findConsumerIds", () => {
    it("finds exactly the targets' kinds that were asked for", async () => {
      await enter("p", "q", "r");
      for (const id of ["p", "q"]) await meetings.consume("m", id, ["q", "r"], KINDS);
      const targets = { q: ["audio"], r: ["video", "screen"], nobody: ["audio"] };
      expect(await meetings.media.findConsumerIds({ ...of("p"), targets })).to.have.deep.members([
        { targetParticipantId: "q", kind: "audio", consumerId: "p<-q:audio" },
        { targetParticipantId: "r", kind: "video", consumerId: "p<-r:video" },
      ]);
      expect(await meetings.media.findConsumerIds({ ...of("r"), targets })).to.deep.equal([]);
      expect(await meetings.media.findConsumerIds({ ...of("p"), targets: { q: [] } })).to.deep.equal([]);
    });

    it("says what is missing", async () => {
      const find = (meetingId: string) =>
        failureOf(meetings.media.findConsumerIds({ ...of("p", meetingId), targets: { q: KINDS } }));
      expect(await find("none")).to.be.instanceOf(MeetingNotFoundError);
      expect(await find("m")).to.be.instanceOf(ParticipantNotFoundError);
    });
  });

  describe("producerContext and consumerContext", () => {
    it("tell what a node needs", async () => {
      await enter("p", "q", "r");
      const { consumerRouterId } = await meetings.participants.describe("p", "m");
      expect(await meetings.media.producerContext(of("p"))).to.deep.equal({
        host: "host",
        producerRouterId: "m/p",
        consumerRouterIds: ["m/c1", "m/c2"],
        transportId: "p>",
      });
      const targets = { q: ["audio", "screen"], r: ["video"], nobody: ["audio"] };
      const { producers, ...context } = await meetings.media.consumerContext({ ...of("p"), targets });
      expect(context).to.deep.equal({ host: "host", consumerRouterId, transportId: "p<" });
      expect(producers).to.have.deep.members([
        { targetParticipantId: "q", kind: "audio", producerId: "q:audio" },
        { targetParticipantId: "r", kind: "video", producerId: "r:video" },
      ]);
      expect(await meetings.media.consumerContext({ ...of("p"), targets: {} })).to.deep.equal({
        ...context,
        producers: [],
      });
    });

    it("do not send a router's producers to the router itself", async () => {
      await meetings.empty();
      await meetings.create("m", [{ routerId: "r", both: 4 }]);
      await enter("p");
      expect(await meetings.media.producerContext(of("p"))).to.include({ producerRouterId: "r" });
      expect((await meetings.media.producerContext(of("p"))).consumerRouterIds).to.deep.equal([]);
    });

    it("do not reveal a producer of another meeting", async () => {
      await enter("p");
      await meetings.create("other");
      await meetings.enter("other", "stranger", KINDS);
      const { producers } = await meetings.media.consumerContext({ ...of("p"), targets: { stranger: KINDS } });
      expect(producers).to.deep.equal([]);
    });

    it("say what is missing, be it NULL or no row", async () => {
      const contexts = (meetingId = "m") => [
        () => meetings.media.producerContext(of("p", meetingId)),
        () => meetings.media.consumerContext({ ...of("p", meetingId), targets: { q: KINDS } }),
      ];
      const fail = async (type: new (...args: never[]) => Error, meetingId?: string) => {
        for (const context of contexts(meetingId)) expect(await failureOf(context())).to.be.instanceOf(type);
      };
      await fail(MeetingNotFoundError, "none");
      await fail(ParticipantNotFoundError);
      await meetings.enter("m", "p");
      await meetings.database.execute("UPDATE container_heartbeat SET host = NULL");
      await fail(HostNotFoundError);
      for (const role of ["producer", "consumer"])
        await meetings.database.execute(`UPDATE participant_${role}_transport SET transport_id = NULL`);
      await fail(TransportNotFoundError);
      for (const role of ["producer", "consumer"])
        await meetings.database.execute(`UPDATE participant_${role}_router SET router_id = NULL`);
      await fail(RouterNotFoundError);
    });
  });
});
