import { expect } from "chai";
import { IdTakenError, ParticipantNotFoundError, TransportNotFoundError } from "../../../../src/errors.js";
import type { Consumer } from "../../../../src/mysql/repositories/consumers.js";
import { MediaRepository } from "../../../../src/mysql/repositories/media.js";
import { failureOf } from "../testDataSource.js";
import { Meetings, NASTY_IDS } from "./meetingRows.js";
import { recordingDatabase } from "./scans.js";

/** What is read besides being data: by JSON, by its paths, as a number, or as a row's end. */
const NASTY_IN_JSON = [
  "[1]",
  '["a","b","c"]',
  '{"$":1}',
  "$[0]",
  "\\u0000",
  '","',
  "1e3",
  "true",
  "\u2028",
  "\t",
] as const;
const IDS: readonly string[] = [...NASTY_IDS, ...NASTY_IN_JSON];

describe("createConsumers in one statement", function () {
  this.timeout(60_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());
  beforeEach(async () => {
    await meetings.empty();
    await meetings.create("m");
    await meetings.enter("m", "p", ["audio"]);
    for (const id of IDS) await meetings.participants.join({ meetingId: "m", participantId: id, instanceId: "i" });
  });

  const all: readonly Consumer[] = IDS.map((id, n) => ({
    targetParticipantId: id,
    kind: IDS[(n + 1) % IDS.length] as string,
    consumerId: IDS[(n + 2) % IDS.length] as string,
  }));
  const targetsOf = (consumers: readonly Consumer[]) => {
    const targets = new Map<string, Omit<Consumer, "targetParticipantId">[]>();
    for (const { targetParticipantId, ...item } of consumers)
      targets.set(targetParticipantId, [...(targets.get(targetParticipantId) ?? []), item]);
    return targets;
  };
  const create = async (consumers: readonly Consumer[], changes = {}) => {
    const { database, statements } = recordingDatabase(meetings.dataSource);
    const request = {
      meetingId: "m",
      participantId: "p",
      transportId: "p<",
      targets: targetsOf(consumers),
      ...changes,
    };
    const outcome = await new MediaRepository(database).createConsumers(request).catch((error: unknown) => error);
    return { outcome, statements: statements.map(({ sql }) => sql.trim().split(/\s/, 1)[0]) };
  };
  const stored = async () =>
    (await meetings.rows("participant_consumers")).map((row) => [
      ...[row.participant_id, row.consumers, row.target_participant_id, row.kind],
      ...[row.consumer_id, row.meeting_id, row.transport_id],
    ]);
  const rowOf = ({ targetParticipantId, kind, consumerId }: Consumer) =>
    ["p", 1, targetParticipantId, kind, consumerId, "m", "p<"] as const;

  it("stores every id, kind and consumer as it is, and asks nothing else", async () => {
    const { outcome, statements } = await create(all);
    expect(statements).to.deep.equal(["INSERT"]);
    expect(outcome).to.deep.equal(all);
    expect(await stored()).to.have.deep.members(all.map(rowOf));
  });

  it("looks again only when it could not store all, and then tells what is stored", async () => {
    const [first, ...others] = all as [Consumer, ...Consumer[]];
    await create([first]);
    const late = { ...first, consumerId: "late" };
    const { outcome, statements } = await create([late, ...others]);
    expect(statements).to.deep.equal(["INSERT", "SELECT", "INSERT", "SELECT"]);
    expect(outcome).to.deep.equal(all);
    expect(await stored()).to.have.deep.members(all.map(rowOf));
  });

  it("leaves nothing of what it had stored when one cannot be, in a transaction that goes on neither", async () => {
    const stranger = { targetParticipantId: "stranger", kind: "k", consumerId: "s" };
    const [first] = all as [Consumer];
    const refused = [
      [await create([...all, stranger]), ParticipantNotFoundError],
      [await create([...all, { ...first, kind: "k" }]), IdTakenError],
      [await create(all, { transportId: "p>" }), TransportNotFoundError],
    ] as const;
    for (const [{ outcome }, error] of refused) expect(outcome).to.be.instanceOf(error);
    await meetings.database.transaction(async (tx) => {
      const request = { meetingId: "m", participantId: "p", transportId: "p<", targets: targetsOf([...all, stranger]) };
      const failure = await failureOf(new MediaRepository(tx).createConsumers(request));
      expect(failure).to.be.instanceOf(ParticipantNotFoundError);
    });
    expect(await stored()).to.deep.equal([]);
  });
});
