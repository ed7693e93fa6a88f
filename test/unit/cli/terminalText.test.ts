import { expect } from "chai";
import * as fc from "fast-check";
import stringWidth from "string-width";
import { cut, harmless, jsonLine, type Span, terminalOf, toLine, toWidth } from "../../../src/cli/terminalText.js";

const ESCAPE = "\u001b";
const plain = (columns: number | undefined) => ({ columns, colours: false });

describe("text on a terminal", () => {
  describe("foreign text is harmless", () => {
    const cases: readonly [string, string, string][] = [
      ["escape sequences", `${ESCAPE}[2J${ESCAPE}]0;title\u0007`, "\\u001b[2J\\u001b]0;title\\u0007"],
      ["the one-character forms of them", "\u009b31m\u0085", "\\u009b31m\\u0085"],
      ["line breaks, tabs, backspaces, DEL", "a\r\n\tb\b\u007f", "a\\u000d\\u000a\\u0009b\\u0008\\u007f"],
      ["what reorders text", "user\u202egnp.exe\u2066", "user\\u202egnp.exe\\u2066"],
      ["what cannot be seen", "a\u200b\u200d\ufeffb\u2028\u2029", "a\\u200b\\u200d\\ufeffb\\u2028\\u2029"],
      ["tags outside of the basic plane", "a\u{e0041}", "a\\udb40\\udc41"],
      ["lone surrogates", "a\ud800b", "a\\ud800b"],
    ];
    for (const [title, text, expected] of cases) it(title, () => expect(harmless(text)).to.equal(expected));

    it("and stays as it is otherwise", () => {
      for (const text of ["plain text", "日本語 é e\u0301 🇮🇳 👍🏽", "\\u001b is text"])
        expect(harmless(text)).to.equal(text);
    });

    it("as JSON it is still the same value, on one line", async () => {
      await fc.assert(
        fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
          const line = jsonLine([value, text]);
          expect(line).to.not.match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(JSON.parse(line)).to.deep.equal(JSON.parse(JSON.stringify([value, text])));
        }),
      );
    });
  });

  describe("is cut", () => {
    const cases: readonly [string, number, string][] = [
      ["abcdef", 6, "abcdef"],
      ["abcdef", 5, "abcd…"],
      ["日本語", 6, "日本語"],
      ["日本語", 5, "日本…"],
      ["日本語", 4, "日…"],
      ["👍🏽👍🏽👍🏽", 5, "👍🏽👍🏽…"],
      ["🇮🇳🇮🇳", 3, "🇮🇳…"],
      ["e\u0301e\u0301e\u0301", 2, "e\u0301…"],
      ["abc", 1, "…"],
      ["abc", 0, ""],
      ["", 0, ""],
    ];
    for (const [text, columns, expected] of cases)
      it(`${JSON.stringify(text)} at ${columns} columns`, () => expect(cut(text, columns)).to.equal(expected));

    it("before marks that are stacked without end on one letter", () => {
      expect(cut(`ab${"\u0301".repeat(100_000)}`, 10)).to.equal("a…");
    });

    it("never wider than asked, and filled up exactly", async () => {
      await fc.assert(
        fc.property(fc.string({ unit: "grapheme" }).map(harmless), fc.nat(60), (text, columns) => {
          expect(stringWidth(cut(text, columns))).to.be.at.most(columns);
          expect(stringWidth(toWidth(text, columns))).to.equal(columns);
          expect(stringWidth(toWidth(text, columns, "right"))).to.equal(columns);
        }),
      );
    });

    it("is filled up on the side asked for", () => {
      expect([toWidth("日", 4), toWidth("12", 4, "right")]).to.deep.equal(["日  ", "  12"]);
    });
  });

  describe("a line of spans", () => {
    const spans: readonly Span[] = [{ text: "abc", style: "red" }, { text: "def" }, { text: "ghi", style: "dim" }];

    it("has colours only where the terminal has, and they take no room", () => {
      expect(toLine(spans, plain(9))).to.equal("abcdefghi");
      expect(toLine(spans, { columns: 9, colours: true })).to.equal("\u001b[31mabc\u001b[39mdef\u001b[2mghi\u001b[22m");
    });

    it("is cut as a whole, colours closed", () => {
      expect(toLine(spans, plain(5))).to.equal("abcd…");
      expect(toLine(spans, { columns: 3, colours: true })).to.equal("\u001b[31mab\u001b[39m…");
      expect(toLine(spans, plain(undefined))).to.equal("abcdefghi");
      expect(toLine(spans, plain(0))).to.equal("");
    });

    it("is made harmless", () => expect(toLine([{ text: `a${ESCAPE}c` }], plain(undefined))).to.equal("a\\u001bc"));
  });

  it("a stream's size and colours: none where it is no terminal, 80 by 24 where the terminal knows of none", () => {
    const hasColors = () => true;
    expect(terminalOf({ columns: 10, hasColors })).to.deep.equal({
      columns: undefined,
      rows: undefined,
      colours: false,
    });
    expect(terminalOf({ isTTY: true, columns: 0, rows: 0 })).to.deep.equal({ columns: 80, rows: 24, colours: false });
    const wide = { isTTY: true, columns: 132, rows: 50, hasColors };
    expect(terminalOf(wide)).to.deep.equal({ columns: 132, rows: 50, colours: true });
  });
});
