import { expect } from "chai";
import stringWidth from "string-width";
import { eventJson, eventText } from "../../../src/cli/watchText.js";
import type { ResyncEvent, SignalEvent, UnrecognisedEvent } from "../../../src/redis/signals/events.js";

const AT = Date.UTC(2026, 10, 23, 7, 4, 8, 21);
const NOW = new Date(AT + 60_000);
const WIDE = { columns: undefined, colours: false };

const signal = (changes: object = {}): SignalEvent => ({
  kind: "signal",
  type: "DoordarshanUserJoined",
  entryId: `${AT}-3`,
  meetingId: "standup",
  senderId: "asha",
  receiverIds: null,
  payload: { userJoinedReason: "joined" },
  requestId: "asha1",
  ...changes,
});
const unrecognised: UnrecognisedEvent = {
  kind: "unrecognised",
  entryId: `${AT}-4`,
  meetingId: "standup",
  fields: { odd: "\u001b]0;title\u0007" },
  reason: "messageType is not signalMessage",
};
const resync: ResyncEvent = { kind: "resync", meetingId: "standup", reason: "trimmed", cursor: "17-0" };

describe("an event that is watched", () => {
  it("is one line: when, meeting, type, sender, payload", () => {
    expect(eventText(signal(), NOW, WIDE)).to.equal(
      '07:04:08.021Z standup DoordarshanUserJoined asha {"userJoinedReason":"joined"}',
    );
  });

  it("names receivers, the first of many, in quotes where they could be taken for something else", () => {
    const line = (receiverIds: string[]) => eventText(signal({ receiverIds }), NOW, WIDE);
    expect(line(["ravi"])).to.include(" asha → ravi {");
    expect(line(["a", "b → c", "d,e", "f", "g"])).to.include(' asha → a,"b → c","d,e" +2 {');
    expect(line([])).to.include(" asha → nobody {");
    expect(eventText(signal({ senderId: "x DoordarshanUserLeft" }), NOW, WIDE)).to.include(
      ' "x DoordarshanUserLeft" {',
    );
  });

  it("names the day where it is not today, and the id where that is no time", () => {
    const tomorrow = new Date(AT + 86_400_000);
    expect(eventText(signal(), tomorrow, WIDE)).to.match(/^2026-11-23 07:04:08\.021Z standup /);
    const far = signal({ entryId: "18446744073709551615-1" });
    expect(eventText(far, NOW, WIDE)).to.match(/^18446744073709551615-1 standup /);
  });

  it("tells apart what is no signal, and what is gone", () => {
    expect(eventText(unrecognised, NOW, WIDE)).to.equal(
      '07:04:08.021Z standup UNRECOGNISED messageType is not signalMessage: {"odd":"\\u001b]0;title\\u0007"}',
    );
    expect(eventText(resync, NOW, WIDE)).to.equal(
      "07:05:08.021Z standup RESYNC entries are gone (trimmed): look at the meeting's state anew; what follows comes after 17-0",
    );
  });

  it("cannot drive the terminal, whatever part of it tries", () => {
    const nasty = "\u001b[2J\u009b1m\u202e\r\n";
    const all = signal({
      meetingId: nasty,
      senderId: nasty,
      receiverIds: [nasty],
      payload: { userJoinedReason: nasty },
    });
    expect(eventText(all, NOW, WIDE)).to.not.match(/[\p{Cc}\p{Cf}]/u);
    expect(eventText({ ...unrecognised, fields: { [nasty]: nasty }, reason: nasty }, NOW, WIDE)).to.not.match(
      /[\p{Cc}\p{Cf}]/u,
    );
  });

  it("is cut to the terminal's width, wide characters counted as two", () => {
    const long = signal({
      meetingId: "会議室",
      senderId: "👍🏽",
      payload: { userJoinedReason: "理由".repeat(100_000) },
    });
    for (const columns of [1, 40, 60, 61, 80]) {
      const line = eventText(long, NOW, { columns, colours: false });
      expect(stringWidth(line)).to.be.within(columns - 1, columns);
      expect(line).to.match(/…$/);
    }
  });

  it("to a machine is one line of JSON, whole and harmless", () => {
    const whole = signal({ payload: { userJoinedReason: `\u009b\u202e${"x".repeat(100_000)}` } });
    for (const event of [whole, unrecognised, resync]) {
      expect(eventJson(event)).to.not.match(/[\p{Cc}\p{Cf}]/u);
      expect(JSON.parse(eventJson(event))).to.deep.equal(event);
    }
  });
});
