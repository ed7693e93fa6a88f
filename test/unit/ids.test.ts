import { expect } from "chai";
import fc from "fast-check";
import { InvalidInputError } from "../../src/errors.js";
import { checkId, checkMeetingId } from "../../src/ids.js";

describe("ids", () => {
  const refused: [what: string, value: unknown, says: string][] = [
    ["the number 0, which matched foreign rows", 0, "must be a string, not a value of type number"],
    ["an object", {}, "must be a string"],
    ["an array", ["m1"], "must be a string, not an array"],
    ["null", null, "must be a string, not null"],
    ["undefined", undefined, "must be a string"],
    ["an empty string", "", "must not be empty"],
    ["65 characters", "x".repeat(65), "at most 64 characters"],
    ["65 emoji", "😀".repeat(65), "at most 64 characters"],
    ["a NUL", "a\0b", "NUL"],
    ["a lone surrogate", "a\ud800", "lone surrogate"],
    ["a trailing space", "m1 ", "end with a space"],
  ];
  for (const [what, value, says] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => checkId("meetingId", value))
        .to.throw(InvalidInputError, says)
        .with.property("argument", "meetingId");
    });
  }

  it("takes 64 characters, however many bytes they have, and what looks dangerous", () => {
    for (const id of ["x".repeat(64), "😀".repeat(64), "' OR 1=1 --", "\\", "__proto__", "constructor", "é", "e"]) {
      expect(checkId("id", id)).to.equal(id);
    }
  });

  it("refuses braces in a meeting id, and only there", () => {
    expect(() => checkMeetingId("meetingId", "{a}")).to.throw(InvalidInputError, "another slot");
    expect(checkId("participantId", "{a}")).to.equal("{a}");
  });

  it("returns what it was given or throws InvalidInputError, whatever the value", () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string({ unit: "binary", maxLength: 80 })), (value) => {
        try {
          expect(checkId("id", value)).to.equal(value);
        } catch (error) {
          expect(error).to.be.instanceOf(InvalidInputError);
        }
      }),
    );
  });
});
