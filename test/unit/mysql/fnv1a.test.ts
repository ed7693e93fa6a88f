import { expect } from "chai";
import { fnv1a32 } from "../../../src/mysql/repositories/fnv1a.js";

describe("fnv1a32", () => {
  /** From the reference test vectors of FNV's authors; the last two by their definition, over UTF-8. */
  const vectors: readonly (readonly [text: string, hash: number])[] = [
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["b", 0xe70c2de5],
    ["foobar", 0xbf9cf968],
    ["é", byDefinition([0xc3, 0xa9])],
    ["😀", byDefinition([0xf0, 0x9f, 0x98, 0x80])],
  ];

  for (const [text, hash] of vectors)
    it(`hashes ${JSON.stringify(text)}`, () => {
      expect(fnv1a32(text)).to.equal(hash);
    });
});

function byDefinition(bytes: readonly number[]): number {
  let hash = 0x811c9dc5n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  return Number(hash);
}
