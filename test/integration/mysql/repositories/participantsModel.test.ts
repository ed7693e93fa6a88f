import { expect } from "chai";
import * as fc from "fast-check";
import { DataError } from "../../../../src/errors.js";
import { type Meeting, MeetingModel } from "./meetingModel.js";
import { Meetings, type RouterRow } from "./meetingRows.js";

const RUNS = 40;
const STEPS = 100;

/** Pairs that a collation, an escape or an object would take for one another. */
const PARTICIPANTS = ["P1", "p1", "é", "e", "😀".repeat(64), "o'b\\", "' OR '1'='1", "__proto__", "constructor"];
const MEETINGS = ["M", "m"];
const KINDS = ["audio", "Audio", "__proto__"];
const INSTANCES = ["i", "I"];
const TRANSPORTS = ["t", "T", "t'\\", "tё", "te"];
const PRODUCERS = ["x", "X", '"x"'];
const CONSUMERS = ["k", "K", "k%", "k_", "\\k", "`k`", "?", "k;"];

const routersOf = (meetingId: string): readonly RouterRow[] => [
  { routerId: `${meetingId}-c2`, consumer: 4 },
  { routerId: `${meetingId}-both`, both: 4 },
  { routerId: `${meetingId}-p`, producer: 4 },
  { routerId: `${meetingId}-C1`, consumer: 4 },
];

/** What a run has to come to for its agreement to mean something. */
const FAR = [
  "join: replaced-instance",
  "join: ErrParticipantElsewhere",
  "join: ErrRouterNotFound",
  "leave: left",
  "create: already-exists",
  "create: ErrTransportExists",
  "recreate: a result",
  "createProducer: created",
  "createProducer: already-exists",
  "createConsumers: a result",
  "createConsumers: ErrIdTaken",
  "createConsumers: ErrTransportNotFound",
  "producerContext: a result",
  "consumerContext: a result",
] as const;

const OUTCOMES = /^(joined|already-|replaced-|left|not-in|created)/;

interface Step {
  readonly name: string;
  readonly input: unknown;
  run(meeting: Meeting): Promise<unknown>;
}

const one = (ids: readonly string[]) => fc.constantFrom(...ids);
const some = (ids: readonly string[]) => fc.subarray([...ids], { maxLength: 3 });
const often = <T, U>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: rare });
const meetingId = often(fc.constant("M"), one(["m", "none"]));
const role = fc.constantFrom("producer" as const, "consumer" as const);
const anyRouter = one(MEETINGS.flatMap(routersOf).map((router) => router.routerId));
const producerRouterId = often(fc.constantFrom(undefined, "M-p", "M-both"), anyRouter);
const consumerRouterId = often(fc.constantFrom(undefined, "M-c2", "M-both"), anyRouter);

const asMap = <T>(entries: readonly (readonly [string, T])[]) => new Map(entries);
const consumer = fc.record({ kind: one(KINDS), consumerId: one(CONSUMERS) });

function step<T>(name: string, input: fc.Arbitrary<T>, run: (meeting: Meeting, input: T) => Promise<unknown>) {
  return input.map((value): Step => ({ name, input: value, run: (meeting) => run(meeting, value) }));
}

/** Every operation, on a few participants: they have to meet to get in each other's way. */
const stepsOf = (pool: readonly string[]): readonly fc.WeightedArbitrary<Step>[] => {
  const participantId = one(pool);
  const scope = { meetingId, participantId };
  const targets = fc.array(fc.tuple(participantId, some(KINDS)), { maxLength: 4 }).map(asMap);
  const consumers = fc
    .array(fc.tuple(participantId, fc.array(consumer, { maxLength: 2 })), { maxLength: 3 })
    .map(asMap);
  /** Mostly the participant's usual transport, so that it is often there. */
  const withTransport = <T>(fields: fc.Arbitrary<T>) =>
    fc
      .tuple(fc.record(scope), fields, often(fc.constant(undefined), one(TRANSPORTS)))
      .map(([where, what, transportId]) => ({
        ...where,
        ...what,
        transportId: transportId ?? usualTransport(where.participantId),
      }));
  return [
    {
      weight: 6,
      arbitrary: step(
        "join",
        fc.record({ ...scope, instanceId: one(INSTANCES), producerRouterId, consumerRouterId }),
        (meeting, input) => meeting.participants.join(input),
      ),
    },
    {
      weight: 2,
      arbitrary: step("leave", fc.record({ ...scope, instanceId: one(INSTANCES) }), (meeting, input) =>
        meeting.participants.leave(input),
      ),
    },
    {
      weight: 6,
      arbitrary: step("create", withTransport(fc.record({ role })), (meeting, input) =>
        meeting.transports.create(input),
      ),
    },
    {
      weight: 2,
      arbitrary: step("recreate", withTransport(fc.record({ role })), (meeting, input) =>
        meeting.transports.recreate(input),
      ),
    },
    {
      weight: 6,
      arbitrary: step(
        "createProducer",
        withTransport(fc.record({ kind: one(KINDS), producerId: one(PRODUCERS) })),
        (meeting, input) => meeting.media.createProducer(input),
      ),
    },
    {
      weight: 2,
      arbitrary: step("closeProducers", fc.record({ ...scope, producerIds: some(PRODUCERS) }), (meeting, input) =>
        meeting.media.closeProducers(input),
      ),
    },
    {
      weight: 8,
      arbitrary: step("createConsumers", withTransport(fc.record({ targets: consumers })), (meeting, input) =>
        meeting.media.createConsumers(input),
      ),
    },
    {
      weight: 2,
      arbitrary: step("closeConsumers", fc.record({ ...scope, consumerIds: some(CONSUMERS) }), (meeting, input) =>
        meeting.media.closeConsumers(input),
      ),
    },
    {
      weight: 1,
      arbitrary: step("allocateRouters", fc.record(scope), (meeting, input) =>
        meeting.participants.allocateRouters(input),
      ),
    },
    {
      weight: 2,
      arbitrary: step("describe", fc.record(scope), (meeting, input) =>
        meeting.participants.describe(input.participantId, input.meetingId),
      ),
    },
    { weight: 1, arbitrary: step("list", meetingId, (meeting, input) => meeting.participants.list(input)) },
    {
      weight: 1,
      arbitrary: step("find", fc.record({ ...scope, role }), (meeting, input) => meeting.transports.find(input)),
    },
    {
      weight: 1,
      arbitrary: step(
        "listProducers",
        fc.tuple(meetingId, fc.option(participantId, { nil: undefined })),
        (meeting, [id, excludeParticipantId]) => meeting.media.listProducers(id, { excludeParticipantId }),
      ),
    },
    {
      weight: 1,
      arbitrary: step("findProducerIds", fc.record({ ...scope, kinds: some(KINDS) }), (meeting, input) =>
        meeting.media.findProducerIds(input),
      ),
    },
    {
      weight: 1,
      arbitrary: step("producerContext", fc.record(scope), (meeting, input) => meeting.media.producerContext(input)),
    },
    {
      weight: 1,
      arbitrary: step("findConsumerIds", fc.record({ ...scope, targets }), (meeting, input) =>
        meeting.media.findConsumerIds(input),
      ),
    },
    {
      weight: 1,
      arbitrary: step("consumerContext", fc.record({ ...scope, targets }), (meeting, input) =>
        meeting.media.consumerContext(input),
      ),
    },
  ];
};

function usualTransport(participantId: string): string {
  return `${[...participantId].slice(0, 60).join("")}>`;
}

const sequences = fc
  .subarray(PARTICIPANTS, { minLength: 3, maxLength: 3 })
  .chain((pool) => fc.array(fc.oneof(...stepsOf(pool)), { minLength: STEPS, maxLength: STEPS, size: "max" }));

describe("participants, transports and media against a model", function () {
  this.timeout(240_000);
  const meetings = new Meetings();
  before(() => meetings.open());
  after(() => meetings.close());

  it("give the model's results and leave the model's rows, whatever is done in whatever order", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        await meetings.empty();
        for (const id of MEETINGS) await meetings.create(id, routersOf(id));
        const model = new MeetingModel(
          "host",
          MEETINGS.map((id) => [id, routersOf(id)] as const),
        );
        for (const { name, input, run } of sequence) {
          const expected = await outcomeOf(run(model));
          expect(await outcomeOf(run(meetings)), `${name} ${JSON.stringify(input)}`).to.deep.equal(expected);
          const code = (expected as { code?: string } | null)?.code;
          const kind = `${name}: ${code ?? (OUTCOMES.test(String(expected)) ? expected : "a result")}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
        expect(await tablesOf(meetings)).to.deep.equal(model.tables());
      }),
      { numRuns: RUNS },
    );
    // A model that never comes far would agree with anything.
    expect([...seen.keys()]).to.include.members([...FAR]);
  });
});

/** A result without the order of its lists, or the error as its caller may match it. */
async function outcomeOf(outcome: Promise<unknown>): Promise<unknown> {
  try {
    return unordered(await outcome);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const { cause: _, ...json } = error.toJSON();
    return json;
  }
}

function unordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(unordered(item))).sort();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, unordered(item)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

async function tablesOf(meetings: Meetings): Promise<Record<string, string[]>> {
  const columns: Record<string, readonly string[]> = {
    participant_meeting: ["participant_id", "meeting_id", "instance_id"],
    participant_producer_router: ["participant_id", "router_id"],
    participant_consumer_router: ["participant_id", "router_id"],
    participant_producer_transport: ["participant_id", "transport_id"],
    participant_consumer_transport: ["participant_id", "transport_id"],
    participant_producers: ["participant_id", "kind", "producer_id", "meeting_id", "transport_id"],
    participant_consumers: [
      "participant_id",
      "target_participant_id",
      "kind",
      "consumer_id",
      "meeting_id",
      "transport_id",
    ],
  };
  const tables: Record<string, string[]> = {};
  for (const [table, names] of Object.entries(columns)) {
    const rows = await meetings.rows(table);
    tables[table] = rows.map((row) => JSON.stringify(names.map((name) => row[name]))).sort();
  }
  return tables;
}
