import { expect } from "chai";
import { Turns } from "../../../src/redis/signals/groups/turns.js";

/** Work that ends when the test says so. */
function works(turns: Turns, count: number) {
  const begun: number[] = [];
  const ends = Array.from({ length: count }, (_, i) => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    turns.take(async () => {
      begun.push(i);
      await ended;
    });
    return end;
  });
  return { begun, end: (i: number) => ends[i]?.() };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("Turns", () => {
  it("begin in order, so many at once", async () => {
    const turns = new Turns(2);
    const { begun, end } = works(turns, 4);
    expect(begun).to.deep.equal([0, 1]);
    end(1);
    await settle();
    expect(begun).to.deep.equal([0, 1, 2]);
    end(0);
    await settle();
    expect(begun).to.deep.equal([0, 1, 2, 3]);
  });

  it("let as many wait as run, and call who had to stay away once, when half is done", async () => {
    const turns = new Turns(2);
    const calls: string[] = [];
    const again = () => calls.push("again");
    const gone = () => calls.push("gone");
    expect(turns.mayFetch(again)).to.equal(true);
    const { end } = works(turns, 4);
    expect([turns.mayFetch(again), turns.mayFetch(again), turns.mayFetch(gone)]).to.deep.equal([false, false, false]);
    turns.forget(gone);
    end(0);
    await settle();
    expect(calls).to.deep.equal([]);
    end(1);
    await settle();
    expect(calls).to.deep.equal(["again"]);
    end(2);
    await settle();
    expect(calls).to.deep.equal(["again"]);
  });
});
