import { expect } from "chai";
import * as fc from "fast-check";
import { DataError, InvalidInputError } from "../../../../src/errors.js";
import type { Database } from "../../../../src/mysql/repositories/database.js";
import { MediaRepository } from "../../../../src/mysql/repositories/media.js";
import { TransportRepository } from "../../../../src/mysql/repositories/transports.js";
import { failureOf } from "../testDataSource.js";
import { freshId, referenceTo } from "./fuzzedIds.js";
import { Meetings, PARTICIPANT_TABLES } from "./meetingRows.js";
import { OPERATIONS, type Operation } from "./operations.js";
import { recordingDatabase } from "./scans.js";

const FUZZED = 10_000;
const CALLERS = 8;
const KINDS = ["audio", "video"];

/** Their participants' ids, without the endings that their other ids have. */
const PARTICIPANT = /^[^<>:/]+$/;

/** A valid id in every place. */
const MINE: Readonly<Record<string, string>> = {
  meetingId: "mine",
  participantId: "me",
  instanceId: "i",
  producerRouterId: "mine/p",
  consumerRouterId: "mine/c1",
  transportId: "me<",
  producerId: "me:audio",
  consumerId: "me<-you:audio",
  target: "you",
  kind: "audio",
  excludeParticipantId: "you",
};

const idsFor = ({ ids }: Operation) => Object.fromEntries(ids.map((id) => [id, MINE[id] as string]));

describe("participants, transports and media, whatever ids they are given", function () {
  this.timeout(180_000);

  describe("bad input", () => {
    const BAD_IDS = [null, 0, 1n, true, {}, ["me"], Symbol("me"), "", "x".repeat(65), "a\0b", "\ud800", "me "];
    const reached: string[] = [];
    const refusing: Database = {
      query: async (sql) => reached.push(sql) as never,
      execute: async (sql) => reached.push(sql) as never,
      transaction: async () => reached.push("transaction") as never,
    };

    for (const operation of OPERATIONS)
      it(`is refused by ${operation.name} before anything is sent`, async () => {
        for (const argument of operation.ids) {
          const bad = operation.optional.includes(argument) ? BAD_IDS : [...BAD_IDS, undefined];
          for (const value of bad) {
            const call = operation.run(refusing, { ...idsFor(operation), [argument]: value as string });
            expect(await failureOf(call), `${argument}: ${String(value)}`).to.be.instanceOf(InvalidInputError);
          }
        }
        expect(reached).to.deep.equal([]);
      });

    it("is refused where a list, a role or targets are expected", async () => {
      const media = new MediaRepository(refusing);
      const transports = new TransportRepository(refusing);
      const scope = { meetingId: "m", participantId: "p" };
      // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass.
      const bad = (value: unknown): any => value;
      const calls = [
        () => media.closeProducers({ ...scope, producerIds: bad("a") }),
        () => media.closeConsumers({ ...scope, consumerIds: bad({ length: 1 }) }),
        () => media.findProducerIds({ ...scope, kinds: bad(null) }),
        () => transports.find({ ...scope, role: bad("toString") }),
        () => transports.create({ ...scope, role: bad(undefined), transportId: "t" }),
        () => media.findConsumerIds({ ...scope, targets: bad(null) }),
        () => media.findConsumerIds({ ...scope, targets: bad([["a", ["audio"]]]) }),
        () => media.findConsumerIds({ ...scope, targets: { a: bad("audio") } }),
        () => media.createConsumers({ ...scope, transportId: "t", targets: { a: bad([null, "audio"]) } }),
        // What looks like a target here sets the object's prototype.
        () => media.consumerContext({ ...scope, targets: { __proto__: bad(["audio"]) } }),
      ];
      for (const call of calls) expect(await failureOf(call())).to.be.instanceOf(InvalidInputError);
      expect(reached).to.deep.equal([]);
    });

    it("is not an empty list: its result is empty, and nothing is sent", async () => {
      const media = new MediaRepository(refusing);
      const scope = { meetingId: "m", participantId: "p" };
      const nothing = { producerIds: [], consumerIds: [] };
      expect(await media.closeProducers({ ...scope, producerIds: [] })).to.deep.equal(nothing);
      expect(await media.closeConsumers({ ...scope, consumerIds: [] })).to.equal(0);
      expect(await media.findProducerIds({ ...scope, kinds: [] })).to.deep.equal([]);
      for (const targets of [{}, { a: [] }, new Map()]) {
        expect(await media.createConsumers({ ...scope, transportId: "t", targets })).to.deep.equal([]);
        expect(await media.findConsumerIds({ ...scope, targets })).to.deep.equal([]);
      }
      expect(reached).to.deep.equal([]);
    });
  });

  describe("on a database with two meetings", () => {
    const meetings = new Meetings();
    before(() => meetings.open());
    after(() => meetings.close());
    beforeEach(async () => {
      await meetings.empty();
      await meetings.create("mine");
      await fillMine();
      await meetings.create("theirs");
      for (const id of THEIRS) await meetings.enter("theirs", id, KINDS);
      for (const id of THEIRS) await meetings.consume("theirs", id, THEIRS, KINDS);
    });

    const fillMine = async () => {
      await meetings.database.execute("DELETE FROM participant_meeting WHERE meeting_id = 'mine'");
      for (const id of ["me", "you"]) await meetings.enter("mine", id, KINDS);
      await meetings.consume("mine", "me", ["you"], KINDS);
    };
    const THEIRS = ["Theirs", "thêirs", "o'brien", "__proto__", "back\\slash"];

    it(`reveals and changes nothing of another meeting for ${FUZZED} ids in every place`, async () => {
      const foreign = await foreignIds(meetings);
      const before = await foreignRows(meetings, foreign);
      const fresh = fc.sample(freshId(foreign), { numRuns: FUZZED, seed: 4 });
      const places = OPERATIONS.flatMap((operation) =>
        operation.ids.map((argument) => ({ operation, argument, theirs: theirsFor(operation, argument, foreign) })),
      );
      const revealed: string[] = [];
      let answers = 0;
      const call = async (n: number) => {
        const { operation, argument, theirs } = places[n % places.length] as (typeof places)[number];
        const round = Math.floor(n / places.length);
        const value = (round % 2 === 0 ? theirs[round % theirs.length] : undefined) ?? (fresh[n] as string);
        const ids = { ...idsFor(operation), [argument]: value };
        const result = await operation.run(meetings.database, ids).catch(onlyOurs);
        if (result !== undefined) answers += 1;
        revealed.push(...stringsIn(result).filter((text) => foreign.has(text)));
      };
      // What is done to this meeting must not leave it too empty to tell anything.
      for (let next = 0; next < FUZZED; await fillMine()) {
        const end = next + FUZZED / 20;
        const caller = async () => {
          while (next < end) await call(next++);
        };
        await Promise.all(Array.from({ length: CALLERS }, caller));
      }
      expect(answers).to.be.above(FUZZED / 4);
      expect(foreign.size).to.be.above(50);
      expect(revealed).to.deep.equal([]);
      expect(await foreignRows(meetings, foreign)).to.deep.equal(before);
    });

    it(`reveals and changes nothing of another meeting for lists of ${FUZZED} ids`, async () => {
      const foreign = await foreignIds(meetings);
      const before = await foreignRows(meetings, foreign);
      const ids = [...new Set(fc.sample(referenceTo([...foreign]), { numRuns: FUZZED, seed: 5 })), ...foreign];
      const scope = { meetingId: "mine", participantId: "me" };
      const targets = new Map(ids.map((id) => [id, KINDS]));
      const found = [
        await meetings.media.findConsumerIds({ ...scope, targets }),
        (await meetings.media.consumerContext({ ...scope, targets })).producers,
        await meetings.media.findProducerIds({ ...scope, kinds: ids }),
        await meetings.media.closeProducers({ ...scope, producerIds: ids }),
        await meetings.media.closeConsumers({ ...scope, consumerIds: ids }),
      ];
      expect(stringsIn(found)).to.deep.equal([]);
      expect(found.at(-1)).to.equal(0);
      expect(await foreignRows(meetings, foreign)).to.deep.equal(before);
    });

    it("takes the same number of statements whatever is found", async () => {
      const small = await statementsPerRead(meetings, "mine", "me", "you");
      const large = await statementsPerRead(meetings, "theirs", "Theirs", "o'brien");
      expect(large).to.deep.equal(small);
      expect(Math.max(...Object.values(small))).to.be.at.most(2);
    });
  });
});

/** Their ids that this place may name. One that stands for something new may be any word, theirs of another sort too. */
function theirsFor({ name, made }: Operation, argument: string, foreign: ReadonlySet<string>): string[] {
  const patterns: Readonly<Record<string, RegExp>> = {
    participantId: PARTICIPANT,
    target: PARTICIPANT,
    excludeParticipantId: PARTICIPANT,
    producerRouterId: /^theirs\//,
    consumerRouterId: /^theirs\//,
    transportId: /consumer/i.test(name) ? /<$/ : />$/,
    producerId: /^[^<]*:/,
    consumerId: /<-.*:/,
  };
  const pattern = made.includes(argument) ? undefined : patterns[argument];
  return pattern ? [...foreign].filter((id) => id !== "theirs" && pattern.test(id)) : [];
}

/** Operations that change nothing, as often as they ask. */
async function statementsPerRead(meetings: Meetings, meetingId: string, participantId: string, target: string) {
  const reads = /^(allocateRouters|describe|list|find|producerContext|consumerContext)/;
  const counts: Record<string, number> = {};
  for (const operation of OPERATIONS.filter(({ name }) => reads.test(name))) {
    const { database, statements } = recordingDatabase(meetings.dataSource);
    await operation.run(database, { ...idsFor(operation), meetingId, participantId, target });
    counts[operation.name] = statements.length;
  }
  return counts;
}

/** All that names something of the other meeting. */
async function foreignIds(meetings: Meetings): Promise<Set<string>> {
  const mine = new Set(["mine", ...KINDS, ...Object.values(MINE)]);
  const rows = (
    await Promise.all([...PARTICIPANT_TABLES, "router_meeting"].map((table) => meetings.rows(table)))
  ).flat();
  const theirs = rows.filter((row) => !stringsIn(row).some((text) => /^(mine|me|you)\b/.test(text)));
  return new Set(theirs.flatMap(stringsIn).filter((text) => !mine.has(text)));
}

async function foreignRows(meetings: Meetings, foreign: ReadonlySet<string>) {
  const tables = [...PARTICIPANT_TABLES, "meeting_status", "router_meeting", "router_worker"];
  const rows = await Promise.all(tables.map((table) => meetings.rows(table)));
  return rows.map((each) =>
    each
      .map((row) => JSON.stringify(row))
      .filter((_, n) => stringsIn(each[n]).some((text) => foreign.has(text)))
      .sort(),
  );
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

function onlyOurs(error: unknown): void {
  if (!(error instanceof DataError) || error.code === "ErrQuery") throw error;
}
