import { expect } from "chai";
import fc from "fast-check";
import { OperationAbortedError } from "../../src/errors.js";
import { Limiter } from "../../src/limiter.js";

class Refused extends Error {}

function limiter(limit: number, queueLimit: number, timeoutMs = 1_000): Limiter {
  return new Limiter({ limit, queueLimit, timeoutMs, refused: (reason) => new Refused(reason) });
}

/** The error a promise ends in; fails when it does not. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail("should have been refused"),
    (error: unknown) => error,
  );
}

describe("Limiter", () => {
  it("admits up to the limit at once and the next when a place is given back", async () => {
    const places = limiter(2, 10);
    const [first] = await Promise.all([places.acquire(), places.acquire()]);
    const third = places.acquire();
    expect(places).to.include({ inUse: 2, waiting: 1 });
    first();
    await third;
    expect(places).to.include({ inUse: 2, waiting: 0 });
  });

  it("refuses at once when the queue is full, and after the time when it is not", async () => {
    const places = limiter(1, 1, 20);
    await places.acquire();
    const waiting = failure(places.acquire());
    expect(await failure(places.acquire()))
      .to.be.instanceOf(Refused)
      .with.property("message", "queue-full");
    expect(await waiting)
      .to.be.instanceOf(Refused)
      .with.property("message", "timeout");
    expect(places).to.include({ inUse: 1, waiting: 0 });
  });

  it("lets a caller give up by signal, before and while waiting, and forgets it", async () => {
    const places = limiter(1, 10);
    const release = await places.acquire();
    const abort = new AbortController();
    const waiting = failure(places.acquire({ signal: abort.signal }));
    abort.abort();
    expect(await waiting).to.be.instanceOf(OperationAbortedError);
    expect(await failure(places.acquire({ signal: abort.signal }))).to.be.instanceOf(OperationAbortedError);
    release();
    expect(places).to.include({ inUse: 0, waiting: 0 });
  });

  it("counts a place once, however often it is given back", async () => {
    const places = limiter(1, 10);
    const release = await places.acquire();
    release();
    release();
    await places.acquire();
    expect(places.inUse).to.equal(1);
  });

  describe("by weight", () => {
    const weighing = (weightLimit: number) =>
      new Limiter({
        limit: 10,
        queueLimit: 10,
        weightLimit,
        timeoutMs: 1_000,
        refused: (reason) => new Refused(reason),
      });

    it("admits until the weight is reached, in order", () => {
      const places = weighing(10);
      const admitted: string[] = [];
      const wait = (name: string, weight: number) =>
        places.wait(
          () => admitted.push(name),
          () => expect.fail("should have waited"),
          { weight },
        );
      expect([places.tryEnter(5), places.tryEnter(5), places.tryEnter(1)]).to.deep.equal([true, true, false]);
      wait("heavy", 6);
      wait("light", 1);
      places.leave(5);
      expect(admitted, "the light one waits behind the heavy one").to.deep.equal([]);
      places.leave(5);
      expect(admitted).to.deep.equal(["heavy", "light"]);
      expect([places.tryEnter(4), places.tryEnter(3)]).to.deep.equal([false, true]);
    });

    it("admits what is heavier than the limit, alone", () => {
      const places = weighing(10);
      expect([places.tryEnter(11), places.tryEnter(0)]).to.deep.equal([true, false]);
      places.leave(11);
      expect([places.tryEnter(1), places.tryEnter(11)]).to.deep.equal([true, false]);
    });

    it("refuses at once when as much waits already, and lets those behind pass when a heavy one gives up", () => {
      const places = weighing(10);
      const admitted: string[] = [];
      expect(places.tryEnter(8)).to.equal(true);
      const cancel = places.wait(
        () => admitted.push("heavy"),
        () => undefined,
        { weight: 9 },
      );
      let refusal: Error | undefined;
      places.wait(
        () => admitted.push("too much"),
        (error) => {
          refusal = error;
        },
        { weight: 2 },
      );
      expect(refusal).to.be.instanceOf(Refused).with.property("message", "queue-full");
      places.wait(
        () => admitted.push("light"),
        () => undefined,
        { weight: 1 },
      );
      expect(admitted).to.deep.equal([]);
      cancel();
      expect(admitted).to.deep.equal(["light"]);
      expect(places).to.include({ inUse: 2, waiting: 0 });
    });
  });

  it("never has more inside than the limit and serves in order, whatever the schedule", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 20 }),
        fc.scheduler(),
        async (limit, callers, s) => {
          const places = limiter(limit, callers);
          const entered: number[] = [];
          let inside = 0;
          let most = 0;
          const visits = Array.from({ length: callers }, async (_, caller) => {
            const release = await places.acquire();
            entered.push(caller);
            inside += 1;
            most = Math.max(most, inside);
            await s.schedule(Promise.resolve());
            inside -= 1;
            release();
          });
          await s.waitFor(Promise.all(visits));
          expect(most).to.be.at.most(limit);
          expect(entered).to.deep.equal([...entered].sort((a, b) => a - b));
          expect(places).to.include({ inUse: 0, waiting: 0 });
        },
      ),
    );
  });
});
