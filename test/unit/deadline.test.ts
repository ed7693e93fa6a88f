import { expect } from "chai";
import { Deadline, withDeadline } from "../../src/deadline.js";
import { DeadlineExceededError, OperationAbortedError } from "../../src/errors.js";

describe("Deadline", () => {
  const overdue = () => new DeadlineExceededError("late");
  const never = () => new Promise<never>(() => undefined);
  const caught = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );

  it("hands on what settles before it", async () => {
    const deadline = new Deadline({ timeoutMs: 10_000, overdue });
    expect(await deadline.race(Promise.resolve(1))).to.equal(1);
    expect(await caught(deadline.race(Promise.reject(new RangeError("x"))))).to.be.instanceOf(RangeError);
    expect(deadline.remainingMs).to.be.within(9_000, 10_000);
    deadline.dispose();
  });

  it("gives all its waits one error, before its signal's listeners run", async () => {
    const deadline = new Deadline({ timeoutMs: 5, overdue });
    const caused = new Promise((_, reject) => {
      deadline.signal.addEventListener("abort", () => reject(new RangeError("caused by the end")));
    });
    const errors = await Promise.all([caught(deadline.race(caused)), caught(deadline.race(never()))]);
    expect(errors).to.deep.equal([deadline.error, deadline.error]);
    expect(deadline.error).to.be.instanceOf(DeadlineExceededError);
    expect(deadline.remainingMs).to.equal(0);
  });

  it("ends with the caller's signal, also when that fired before", async () => {
    const controller = new AbortController();
    const early = new Deadline({ timeoutMs: 10_000, signal: controller.signal, overdue });
    controller.abort();
    const late = new Deadline({ timeoutMs: 10_000, signal: controller.signal, overdue });
    for (const deadline of [early, late])
      expect(await caught(deadline.race(never()))).to.be.instanceOf(OperationAbortedError);
  });

  it("does nothing after it is disposed of", () => {
    const controller = new AbortController();
    const deadline = new Deadline({ timeoutMs: 10_000, signal: controller.signal, overdue });
    deadline.dispose();
    controller.abort();
    expect(deadline.error).to.equal(undefined);
    expect(deadline.signal.aborted).to.equal(false);
  });

  it("is over at its time also when the process was too busy to notice", async () => {
    const deadline = new Deadline({ timeoutMs: 20, overdue });
    deadline.throwIfOver();
    const end = performance.now() + 30;
    while (performance.now() < end);
    expect(() => deadline.throwIfOver()).to.throw(DeadlineExceededError);
    expect(await caught(deadline.race(never()))).to.equal(deadline.error);
  });

  it("tells the reason of the caller's signal, if it has one", () => {
    const told = (...reason: unknown[]) =>
      new Deadline({ timeoutMs: 10_000, signal: AbortSignal.abort(...reason), overdue }).error?.message;
    expect(told()).to.equal("The caller's signal fired");
    expect(told("text")).to.equal("The caller's signal fired");
    expect(told(new RangeError("too\nmany"))).to.equal("The caller's signal fired: too many");
  });

  it("is disposed of by withDeadline, whatever comes of it", async () => {
    const seen: Deadline[] = [];
    const keep = async (deadline: Deadline) => void seen.push(deadline);
    await withDeadline({ timeoutMs: 5, overdue }, keep);
    const failing = withDeadline({ timeoutMs: 5, overdue }, async (deadline) => {
      seen.push(deadline);
      throw new RangeError("x");
    });
    expect(await caught(failing)).to.be.instanceOf(RangeError);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.map(({ error }) => error)).to.deep.equal([undefined, undefined]);
  });
});
