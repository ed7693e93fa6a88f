import { expect } from "chai";
import { InvalidInputError } from "../../../src/errors.js";
import { checkMessage, checkName, checkStream, toEntry } from "../../../src/redis/input.js";
import { newRequestId } from "../../../src/redis/signals/requestId.js";
import { parseSignal } from "../../../src/redis/signals/schemas.js";

const CAP = 100;

describe("An entry's values", () => {
  it("are written as JavaScript prints them", () => {
    const values = { a: "x", b: 1e21, c: -0, d: false, e: -5n };
    expect(toEntry(values, CAP)).to.deep.equal(["a", "x", "b", "1e+21", "c", "0", "d", "false", "e", "-5"]);
  });

  it("are the object's own enumerable fields", () => {
    const values = Object.assign(Object.create({ inherited: "x" }), { own: "y" });
    expect(toEntry(values, CAP)).to.deep.equal(["own", "y"]);
    expect(toEntry(JSON.parse('{"__proto__":"data"}'), CAP)).to.deep.equal(["__proto__", "data"]);
    expect(toEntry(Object.assign(Object.create(null), { a: 1 }), CAP)).to.deep.equal(["a", "1"]);
  });

  const bad = [
    {},
    [],
    null,
    undefined,
    () => 1,
    Symbol("s"),
    new Date(),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "\ud800",
  ];
  for (const value of bad) {
    it(`refuse ${typeof value === "symbol" ? "a symbol" : (JSON.stringify(value) ?? typeof value)} and name the field`, () => {
      expect(() => toEntry({ fine: 1, wrong: value }, CAP)).to.throw(InvalidInputError, /^values\["wrong"\] must/);
    });
  }

  it("refuse too much, nothing, and what is no object of fields", () => {
    expect(toEntry({ a: "x".repeat(CAP - 1) }, CAP)).to.have.length(2);
    expect(() => toEntry({ a: "x".repeat(CAP) }, CAP)).to.throw(InvalidInputError, /at most 100 bytes/);
    expect(() => toEntry({ a: "ä".repeat(CAP / 2) }, CAP)).to.throw(InvalidInputError, /at most 100 bytes/);
    for (const values of [{}, [], ["a"], null, undefined, "text", 5, new Map([["a", 1]])])
      expect(() => toEntry(values, CAP)).to.throw(InvalidInputError, /^values must/);
  });
});

describe("Names of streams and channels", () => {
  it("are any well-formed text of 1 to 512 bytes", () => {
    for (const name of ["s", "{tag}:x", "ü".repeat(256)]) expect(checkName("stream", name)).to.equal(name);
    for (const name of ["", "a\0b", "\ud800", "ü".repeat(257), 5, null, undefined, {}, ["a"]])
      expect(() => checkName("stream", name)).to.throw(InvalidInputError, /^stream must/);
  });

  it("of a meeting carry its id", () => {
    expect(checkStream("room-stream:m1")).to.equal("room-stream:m1");
    for (const id of ["", "{m1}", "m}", "m".repeat(65), "m "])
      expect(() => checkStream(`room-stream:${id}`)).to.throw(InvalidInputError, /meeting id/);
  });

  it("come with messages that are text up to the cap", () => {
    expect(checkMessage("", CAP)).to.equal("");
    for (const message of [5, null, {}, "\udc00", "x".repeat(CAP + 1)])
      expect(() => checkMessage(message, CAP)).to.throw(InvalidInputError, /^message must/);
  });
});

describe("A signal to publish", () => {
  const join = { type: "DoordarshanUserJoined", meetingId: "m1", senderId: "p1", payload: { userJoinedReason: "r" } };
  const publish = {
    ...join,
    type: "DoordarshanStreamPublish",
    payload: { publishReason: "r", producerMap: { audio: "x" }, participantId: "p1" },
  };
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;

  it("may be for everyone or for some", () => {
    for (const receiverIds of [undefined, null, ["p2"]])
      expect(parseSignal({ ...join, receiverIds })).to.deep.equal({ ...join, receiverIds });
    expect(parseSignal({ ...join, type: "DoordarshanDisconnect", payload: { disconnectReason: null } })).to.include({
      type: "DoordarshanDisconnect",
    });
  });

  const bad: [string, unknown, RegExp][] = [
    ["nothing", undefined, /^signal/],
    ["an unknown type", { ...join, type: "Other" }, /^signal\.type must be one of Doordarshan/],
    ["an inherited name as type", { ...join, type: "toString" }, /^signal\.type/],
    ["braces in the meeting's id", { ...join, meetingId: "{m}" }, /^signal\.meetingId must not contain braces/],
    ["a number as sender", { ...join, senderId: 0 }, /^signal\.senderId must be a string/],
    ["a sender of 65 characters", { ...join, senderId: "x".repeat(65) }, /^signal\.senderId must have at most 64/],
    ["no receiver at all", { ...join, receiverIds: [] }, /^signal\.receiverIds must not be empty/],
    ["one receiver as a string", { ...join, receiverIds: "p2" }, /^signal\.receiverIds/],
    ["a wrong receiver", { ...join, receiverIds: ["p2", {}] }, /^signal\.receiverIds\.1 must be a string/],
    ["a misspelt field", { ...join, recieverIds: ["p2"] }, /recieverIds/],
    ["an empty request id", { ...join, requestId: "" }, /^signal\.requestId/],
    ["another type's payload", { ...join, payload: publish.payload }, /^signal\.payload/],
    ["a payload with more", { ...join, payload: { userJoinedReason: "r", more: 1 } }, /^signal\.payload.*more/],
    ["a BigInt", { ...join, payload: { userJoinedReason: 1n } }, /^signal\.payload\.userJoinedReason/],
    ["undefined", { ...join, payload: { userJoinedReason: undefined } }, /^signal\.payload\.userJoinedReason/],
    ["a lone surrogate", { ...join, payload: { userJoinedReason: "\ud800" } }, /lone surrogate/],
    [
      "a cycle",
      { ...publish, payload: { ...publish.payload, producerMap: cyclic } },
      /^signal\.payload\.producerMap must/,
    ],
    [
      "a Map",
      { ...publish, payload: { ...publish.payload, producerMap: new Map() } },
      /^signal\.payload\.producerMap must/,
    ],
    [
      "an array",
      { ...publish, payload: { ...publish.payload, producerMap: ["x"] } },
      /^signal\.payload\.producerMap must/,
    ],
  ];
  for (const [what, signal, message] of bad) {
    it(`is refused with ${what}`, () => {
      expect(() => parseSignal(signal)).to.throw(InvalidInputError, message);
    });
  }
});

describe("A request id", () => {
  it("is the sender and Unix nanoseconds, never twice, even when the clock stands still", () => {
    const now = Date.now;
    // Ahead of every id that another test has drawn.
    const standing = now() + 3_600_000;
    Date.now = () => standing;
    try {
      const ids = new Set(Array.from({ length: 10_000 }, () => newRequestId("p1")));
      expect(ids.size).to.equal(10_000);
      // Ten thousand nanoseconds may reach into the next millisecond.
      for (const id of ids) expect(Number(BigInt(id.slice(2)) / 1_000_000n) - standing).to.be.oneOf([0, 1]);
    } finally {
      Date.now = now;
    }
  });
});
