import { expect } from "chai";
import fc from "fast-check";
import { bestFit, layOut, packRouters, roomOf, type WorkerRoom } from "../../../src/mysql/repositories/placement.js";

const ids = ["a", "b", "B", "é", "__proto__", "constructor"];
const workers = fc
  .uniqueArray(fc.record({ workerId: fc.constantFrom(...ids), used: fc.integer({ min: 0, max: 12 }) }), {
    selector: ({ workerId }) => workerId,
    maxLength: 6,
  })
  .map((all): WorkerRoom[] => all.map((worker) => ({ ...worker, capacity: 10 })));
const demand = fc.record({ producerCapacity: fc.nat(11), consumerCapacity: fc.nat(30) });

describe("placement", () => {
  it("lays a meeting out wherever that is possible, on the fewest workers, within their limits", () => {
    fc.assert(
      fc.property(workers, demand, (all, wanted) => {
        const fewest = fewestByTryingAll(all, wanted);
        const layout = layOut(all, wanted);
        expect(layout?.consumers.length).to.equal(fewest);
        if (!layout) return;
        const shares = [layout.producer, ...layout.consumers];
        expect(new Set(shares.map(({ workerId }) => workerId)).size).to.equal(shares.length);
        for (const { workerId, capacity } of shares)
          expect(capacity).to.be.at.most(roomOf(all.find((worker) => worker.workerId === workerId) as WorkerRoom));
        const total = layout.consumers.reduce((sum, { capacity }) => sum + capacity, 0);
        expect([layout.producer.capacity, total]).to.deep.equal([wanted.producerCapacity, wanted.consumerCapacity]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("chooses the same whatever order it is shown", () => {
    const nodes = fc.array(workers, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(nodes, demand, fc.infiniteStream(fc.nat()), (all, wanted, numbers) => {
        const candidates = all.map((each, n) => ({ containerId: ids[n] as string, host: "h", workers: each }));
        const keys = new Map(candidates.map((candidate) => [candidate, numbers.next().value]));
        const shuffled = [...candidates].sort((a, b) => (keys.get(a) as number) - (keys.get(b) as number));
        expect(bestFit(shuffled, wanted)).to.deep.equal(bestFit(candidates, wanted));
      }),
    );
  });

  it("packs routers apart and within the limits, or not at all", () => {
    const router = fc.record({ meetingId: fc.constantFrom("m", "n", "o"), amount: fc.nat(8) });
    fc.assert(
      fc.property(workers, fc.array(router, { maxLength: 8 }), (all, wanted) => {
        const routers = wanted.map((each, n) => ({ ...each, routerId: `r${n}` }));
        const packed = packRouters(all, routers);
        if (!packed) return;
        expect(packed.map(({ routerId }) => routerId)).to.have.members(routers.map(({ routerId }) => routerId));
        expect(new Set(packed.map((each) => `${each.meetingId} ${each.workerId}`)).size).to.equal(packed.length);
        for (const worker of all) {
          const taken = packed.filter(({ workerId }) => workerId === worker.workerId);
          expect(taken.reduce((sum, { amount }) => sum + amount, 0)).to.be.at.most(roomOf(worker));
        }
      }),
    );
    const two = ["a", "b"].map((workerId) => ({ workerId, capacity: 10, used: 0 }));
    const pair = [4, 6].map((amount) => ({ meetingId: "m", routerId: `r${amount}`, amount }));
    expect(packRouters(two, pair)?.map(({ workerId }) => workerId)).to.deep.equal(["a", "b"]);
    expect(packRouters(two.slice(1), pair)).to.equal(undefined);
  });

  function fewestByTryingAll(
    all: readonly WorkerRoom[],
    wanted: { producerCapacity: number; consumerCapacity: number },
  ) {
    const sizes: number[] = [];
    for (const producer of all) {
      if (producer.used > producer.capacity || roomOf(producer) < wanted.producerCapacity) continue;
      for (let set = 0; set < 2 ** all.length; set += 1) {
        const chosen = all.filter((worker, n) => worker !== producer && set & (1 << n));
        if (chosen.reduce((sum, worker) => sum + roomOf(worker), 0) >= wanted.consumerCapacity)
          sizes.push(chosen.length);
      }
    }
    return sizes.length > 0 ? Math.min(...sizes) : undefined;
  }
});
