import { expect } from "chai";
import { Overdue } from "../../../src/redis/overdue.js";

const AFTER_MS = 30;

describe("What waits too long", () => {
  /** Resolves with what was told once `count` items were, and when. */
  function telling(count: number) {
    const told: { item: string; at: number }[] = [];
    let done: (items: typeof told) => void = () => undefined;
    const all = new Promise<typeof told>((resolve) => {
      done = resolve;
    });
    const overdue = new Overdue<string>(AFTER_MS, (item) => {
      told.push({ item, at: performance.now() });
      if (told.length === count) done(told);
    });
    // The timer keeps no process running, so this does.
    const alive = setInterval(() => undefined, 1_000);
    return { overdue, all: all.finally(() => clearInterval(alive)) };
  }

  it("is told in order, after its time and not before", async () => {
    const { overdue, all } = telling(3);
    const began = performance.now();
    overdue.add("a");
    overdue.add("b");
    const later = setTimeout(() => overdue.add("c"), AFTER_MS / 2);
    const told = await all;
    clearTimeout(later);
    expect(told.map(({ item }) => item)).to.deep.equal(["a", "b", "c"]);
    expect((told[0]?.at ?? 0) - began).to.be.at.least(AFTER_MS);
    expect((told[2]?.at ?? 0) - began).to.be.at.least(AFTER_MS * 1.5 - 1);
  });

  it("is not told when it has come, nor while it is awaited anew", async () => {
    const { overdue, all } = telling(2);
    overdue.add("come");
    overdue.add("anew");
    overdue.add("last");
    overdue.delete("come");
    overdue.add("anew");
    expect((await all).map(({ item }) => item)).to.deep.equal(["last", "anew"]);
  });
});
