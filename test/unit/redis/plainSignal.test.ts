import { expect } from "chai";
import fc from "fast-check";
import { parseBySchema, parseSignal } from "../../../src/redis/signals/schemas.js";

const TYPES = [
  "DoordarshanStreamPublish",
  "DoordarshanStreamUnPublish",
  "DoordarshanUserJoined",
  "DoordarshanUserLeft",
  "DoordarshanDisconnect",
];
const TEXTS = ["", "m1", "a b", "b ", "{m}", "x\0y", "\ud800", "é👍", "x".repeat(64), "x".repeat(65), "👍".repeat(64)];
const anyText = fc.oneof(fc.constantFrom(...TEXTS), fc.string());
const odd = fc.constantFrom(null, undefined, 0, 1n, true, [], {}, ["a"], new Map(), () => 1, Number.NaN);
const good = fc.stringMatching(/^[a-z]{1,8}$/);
/** Mostly what is right, so that most signals have only few faults. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: anyText }, { weight: 1, arbitrary: odd });
const present = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 20, arbitrary: mostly(right).map((value) => [value]) }, { weight: 1, arbitrary: fc.constant([]) });

const maps = fc.oneof(
  fc.dictionary(fc.oneof(good, fc.constant("__proto__")), mostly(good)),
  fc.constant(Object.create(null)),
  fc.constant(Object.create({ inherited: "x" })),
);
const FIELDS = [
  "publishReason",
  "unPublishReason",
  "userJoinedReason",
  "userLeftReason",
  "instanceId",
  "participantId",
];
const PAYLOADS: Record<string, string[]> = {
  DoordarshanStreamPublish: ["publishReason", "producerMap", "participantId"],
  DoordarshanStreamUnPublish: ["unPublishReason", "producerMap", "participantId"],
  DoordarshanUserJoined: ["userJoinedReason"],
  DoordarshanUserLeft: ["userLeftReason", "instanceId"],
  DoordarshanDisconnect: ["disconnectReason"],
};

const record = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields).map((drawn) => {
    const entries = Object.entries(drawn as Record<string, unknown[]>);
    return Object.fromEntries(entries.flatMap(([key, value]) => value.map((inner) => [key, inner])));
  });
const extra = fc.oneof(
  { weight: 20, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constantFrom(...FIELDS, "more", "toString").map((key) => ({ [key]: "x" })) },
);
const payloadOf = (type: string) =>
  fc
    .tuple(
      record(
        Object.fromEntries(
          (PAYLOADS[type] as string[]).map((field) => [
            field,
            present(field === "producerMap" ? maps : field === "disconnectReason" ? fc.option(good) : good),
          ]),
        ),
      ),
      extra,
    )
    .map(([payload, more]) => ({ ...payload, ...more }));

const optional = (right: fc.Arbitrary<unknown>) =>
  fc.oneof(
    fc.constant([]),
    mostly(right).map((value) => [value]),
  );
const inputs = fc.constantFrom(...TYPES).chain((type) =>
  fc
    .tuple(
      record({
        type: present(fc.constant(type)),
        meetingId: present(good),
        senderId: present(good),
        payload: present(payloadOf(type)),
        receiverIds: optional(fc.option(fc.array(mostly(good), { maxLength: 3 }))),
        requestId: optional(good),
      }),
      extra,
    )
    .map(([signal, more]) => ({ ...signal, ...more })),
);

/** What reading it gives: the signal, or the refusal's message. */
function outcome(read: (input: unknown) => unknown, input: unknown): unknown {
  try {
    return { read: read(input) };
  } catch (error) {
    return { refused: String(error) };
  }
}

describe("Reading a signal without the schema", () => {
  it("gives what the schema gives, whatever comes", () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        const bySchema = outcome(parseBySchema, input);
        expect(outcome(parseSignal, input)).to.deep.equal(bySchema);
        if ("read" in (bySchema as object)) accepted += 1;
        else refused += 1;
      }),
      { numRuns: 5_000 },
    );
    // Both must have been tried, or the property says nothing.
    expect(accepted).to.be.above(500);
    expect(refused).to.be.above(500);
  });

  it("does not keep hold of the caller's objects", () => {
    const receiverIds = ["p2"];
    const payload = { userJoinedReason: "joined" };
    const read = parseSignal({ type: "DoordarshanUserJoined", meetingId: "m", senderId: "p", receiverIds, payload });
    receiverIds.push("p3");
    payload.userJoinedReason = "changed";
    expect(read).to.deep.include({ receiverIds: ["p2"], payload: { userJoinedReason: "joined" } });
  });

  it("judges what stands behind properties as the schema does", () => {
    const join = { type: "DoordarshanUserJoined", meetingId: "m", senderId: "p", payload: { userJoinedReason: "r" } };
    const hidden = Object.defineProperty({ ...join }, "payload", { value: { userJoinedReason: 5 }, enumerable: false });
    const foreign = Object.assign(Object.create({ requestId: 5 }), join);
    const sparse = { ...join, receiverIds: new Array(2) };
    for (const input of [hidden, foreign, sparse, Object.assign(Object.create(null), join), [join], "text"])
      expect(outcome(parseSignal, input)).to.deep.equal(outcome(parseBySchema, input));
  });
});
