import { expect } from "chai";
import fc from "fast-check";
import { decodeSignal, encodeSignal } from "../../../src/redis/signals/codec.js";
import { parseSignal } from "../../../src/redis/signals/schemas.js";
import type { Signal } from "../../../src/redis/signals/types.js";

const text = fc.string({ unit: "grapheme" });
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toString"));
const id = fc.stringMatching(/^[^\s{}\0]{1,20}$/u).filter((value) => value.isWellFormed());
const producerMap = fc
  .array(fc.tuple(key, text))
  .map((pairs) => pairs.reduce((map, [kind, producer]) => Object.defineProperty(map, kind, own(producer)), {}));

function own(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}

const typed = fc.oneof(
  fc.record({
    type: fc.constant("DoordarshanStreamPublish"),
    payload: fc.record({ publishReason: text, producerMap, participantId: text }),
  }),
  fc.record({
    type: fc.constant("DoordarshanStreamUnPublish"),
    payload: fc.record({ unPublishReason: text, producerMap, participantId: text }),
  }),
  fc.record({ type: fc.constant("DoordarshanUserJoined"), payload: fc.record({ userJoinedReason: text }) }),
  fc.record({
    type: fc.constant("DoordarshanUserLeft"),
    payload: fc.record({ userLeftReason: text, instanceId: text }),
  }),
  fc.record({
    type: fc.constant("DoordarshanDisconnect"),
    payload: fc.record({ disconnectReason: fc.option(text) }),
  }),
);
const signals = fc
  .record({ typed, meetingId: id, senderId: id, requestId: id, receiverIds: fc.option(fc.array(id, { minLength: 1 })) })
  .map(({ typed: { type, payload }, ...rest }) => ({ type, payload, ...rest }) as Signal & { requestId: string });

/** As a reader of the stream gets them. */
function asRead(wire: string, texts = 12): Record<string, string> {
  const args: string[] = [];
  for (let rest = Buffer.from(wire); rest.length > 0; ) {
    const start = rest.indexOf("\r\n") + 2;
    const end = start + Number(rest.subarray(1, start - 2));
    args.push(rest.toString("utf8", start, end));
    expect(rest.toString("latin1", 0, 1) + rest.toString("latin1", end, end + 2)).to.equal("$\r\n");
    rest = rest.subarray(end + 2);
  }
  expect(args).to.have.length(texts);
  return Object.fromEntries(args.flatMap((field, i) => (i % 2 === 0 ? [[field, args[i + 1] as string]] : [])));
}

const entryFields = (signal: unknown, more: object = {}) => ({
  name: "DoordarshanUserJoined",
  signal: typeof signal === "string" ? signal : JSON.stringify(signal),
  roomId: "m1",
  participantId: "p1",
  messageType: "signalMessage",
  requestId: "p117",
  ...more,
});

describe("The signal codec", () => {
  it("reads what it has written", () => {
    fc.assert(
      fc.property(signals, (signal) => {
        const decoded = decodeSignal({
          id: "1-0",
          fields: asRead(encodeSignal(parseSignal(signal), signal.requestId, 1e6).text),
        });
        const expected = { ...signal, kind: "signal", id: "1-0" };
        expect(JSON.parse(JSON.stringify(decoded))).to.deep.equal(JSON.parse(JSON.stringify(expected)));
      }),
      { numRuns: 500 },
    );
  });

  const trace = fc
    .tuple(
      fc.stringMatching(/^[0-9a-e][0-9a-f]$/),
      fc.stringMatching(/^[0-9a-f]{31}[1-9a-f]$/),
      fc.stringMatching(/^[0-9a-f]{15}[1-9a-f]$/),
    )
    .map(([version, traceId, spanId]) => `${version}-${traceId}-${spanId}-01`);

  it("reads the trace context that it has written, beside all the rest and at no cost to the payload", () => {
    fc.assert(
      fc.property(signals, trace, (signal, traceparent) => {
        const { requestId } = signal;
        const untraced = encodeSignal(parseSignal(signal), requestId, 1e6);
        const bytes = Object.entries(asRead(untraced.text)).flat().join("");
        const encoded = encodeSignal(parseSignal(signal), requestId, Buffer.byteLength(bytes), traceparent);
        expect([untraced.count, encoded.count]).to.deep.equal([12, 14]);
        const fields = asRead(encoded.text, 14);
        expect(fields).to.deep.equal({ ...asRead(untraced.text), traceparent });
        const decoded = decodeSignal({ id: "1-0", fields });
        expect(decoded).to.deep.equal({ ...decodeSignal({ id: "1-0", fields: asRead(untraced.text) }), traceparent });
      }),
    );
  });

  const valid = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const broken: [string, string][] = [
    ["empty", ""],
    ["upper case", valid.toUpperCase()],
    ["of the forbidden version", valid.replace("00", "ff")],
    ["of no trace", valid.replaceAll("a", "0")],
    ["of no span", valid.replaceAll("b", "0")],
    ["too long", `${valid}-00`],
    ["with a line break", `${valid}\n`],
    ["in front of another", `x${valid}`],
  ];
  for (const [what, traceparent] of broken) {
    it(`neither writes nor reads a trace context that is ${what}`, () => {
      const signal = {
        type: "DoordarshanUserJoined",
        meetingId: "m",
        senderId: "p",
        payload: { userJoinedReason: "" },
      };
      const { count, text: wire } = encodeSignal(parseSignal(signal), "p1", 1e6, traceparent);
      expect(count).to.equal(12);
      const decoded = decodeSignal({ id: "1-0", fields: { ...asRead(wire), traceparent } });
      expect(decoded.kind).to.equal("signal");
      expect(decoded).not.to.have.property("traceparent");
    });
  }

  it("reads the second form", () => {
    const signal = {
      type: "DoordarshanUserJoined",
      sub_type: "DoordarshanUserJoined",
      client_id: "DoordarshanKendra",
      request_id: "p117",
      details: { payload: { userJoinedReason: "r" }, timestamp: 1_795_390_440_335_000_000 },
      sender_id: "p1",
      receiver_ids: ["p2"],
      room_id: "m1",
      version_info: { skip_version: true, version: 0 },
    };
    expect(decodeSignal({ id: "1-0", fields: entryFields(signal) })).to.deep.equal({
      kind: "signal",
      id: "1-0",
      type: "DoordarshanUserJoined",
      meetingId: "m1",
      senderId: "p1",
      receiverIds: ["p2"],
      payload: { userJoinedReason: "r" },
      requestId: "p117",
    });
  });

  it("keeps payload fields that a later version added", () => {
    const payload = { userJoinedReason: "r", since: 5 };
    const decoded = decodeSignal({ id: "1-0", fields: entryFields({ type: "DoordarshanUserJoined", payload }) });
    expect(decoded).to.deep.include({ kind: "signal", payload, receiverIds: null });
  });

  const good = { type: "DoordarshanUserJoined", payload: { userJoinedReason: "r" } };
  const unreadable: [string, Record<string, string>, RegExp][] = [
    ["no field", {}, /messageType/],
    ["another messageType", entryFields(good, { messageType: "other" }), /messageType/],
    ["no requestId", entryFields(good, { requestId: "" }), /requestId/],
    ["no JSON", entryFields("{"), /not JSON/],
    ["JSON of another kind", entryFields("[]"), /no JSON object/],
    ["two types", entryFields({ ...good, type: "DoordarshanUserLeft" }), /differ/],
    ["an unknown type", entryFields({ ...good, type: "toString" }, { name: "toString" }), /no known/],
    ["a payload of another type", entryFields({ ...good, payload: { userLeftReason: "r" } }), /payload/],
    ["no payload", entryFields({ type: good.type }), /payload/],
    ["recipients as a string", entryFields({ ...good, recipient_id: "p1" }), /recipients/],
    ["recipients as numbers", entryFields({ ...good, recipient_id: [1] }), /recipients/],
    ["details as null", entryFields({ ...good, details: null }), /details/],
    ["very deep JSON", entryFields("[".repeat(100_000)), /not JSON/],
  ];
  for (const [what, fields, reason] of unreadable) {
    it(`hands on as unrecognised: ${what}`, () => {
      const decoded = decodeSignal({ id: "1-0", fields });
      expect(decoded).to.include({ kind: "unrecognised", id: "1-0", fields });
      expect((decoded as { reason: string }).reason).to.match(reason);
    });
  }

  it("reads deeply nested foreign payload fields", () => {
    const deep = `{"type":"DoordarshanUserJoined","payload":{"userJoinedReason":"r","x":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`;
    expect(decodeSignal({ id: "1-0", fields: entryFields(deep) }).kind).to.equal("signal");
  });

  it("never throws on foreign fields and is not polluted by them", () => {
    const json = fc.oneof(fc.json(), text, fc.constant('{"__proto__":{"polluted":1},"type":"DoordarshanUserJoined"}'));
    const name = fc.constantFrom("DoordarshanUserJoined", "DoordarshanStreamPublish", "__proto__", "");
    const foreign = fc.oneof(
      fc.dictionary(key, text),
      fc.record({ name, signal: json, roomId: text, messageType: fc.constant("signalMessage"), requestId: text }),
    );
    fc.assert(
      fc.property(foreign, (fields) => {
        const decoded = decodeSignal({ id: "1-0", fields });
        expect(decoded.kind).to.be.oneOf(["signal", "unrecognised"]);
        expect(({} as Record<string, unknown>).polluted).to.equal(undefined);
      }),
      { numRuns: 1_000 },
    );
  });
});
