import { expect } from "chai";
import { NoCapacityError } from "../../../../src/errors.js";
import type { Allocation } from "../../../../src/mysql/repositories/allocation.js";
import { roomOf } from "../../../../src/mysql/repositories/placement.js";
import { type Bench, empty, loads, openBench } from "./support.js";

const CALLERS = 32;
/** The bar is 100 rounds; fewer keep an everyday run short. */
const ROUNDS = Number(process.env.PLACEMENT_ROUNDS ?? 100);
const DEMAND = { tenant: "t", producerCapacity: 100, consumerCapacity: 150 };

describe(`placement, ${CALLERS} callers at once on a nearly full fleet`, function () {
  this.timeout(600_000);
  let bench: Bench;

  before(async () => {
    bench = await openBench(CALLERS);
  });
  after(() => bench?.close());

  const workers = async () =>
    (await bench.repositories.fleet.listContainers()).flatMap((node) => node.workers.map((w) => ({ ...w, node })));
  /** Fills the fleet so that some callers find room and some do not, on workers filled unevenly. */
  const fill = async (round: number) => {
    await empty(bench.dataSource);
    for (const containerId of ["a", "b", "c", "d"]) {
      const workerIds = [0, 1, 2, 3].map((n) => `${containerId}${n}`);
      await bench.repositories.fleet.registerContainer({ containerId, host: "h", tenant: "t", workerIds });
    }
    await bench.dataSource.query(
      "UPDATE worker_load SET used = (CRC32(CONCAT(worker_id, ?)) MOD 5) * 50, capacity = 500 ORDER BY worker_id",
      [String(round)],
    );
  };
  const promised = (placed: readonly Allocation[]) => {
    const sums = new Map<string, number>();
    for (const { producer, consumers } of placed)
      for (const { workerId, capacity } of [producer, ...consumers])
        sums.set(workerId, (sums.get(workerId) ?? 0) + capacity);
    return sums;
  };

  it(`never promises more than there is, keeps the roles apart, and refuses nobody while there is room (${ROUNDS} rounds)`, async () => {
    let refused = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await fill(round);
      const before = new Map((await workers()).map((worker) => [worker.workerId, worker.used]));
      const outcomes = await Promise.allSettled(
        Array.from({ length: CALLERS }, () => bench.repositories.fleet.allocate(DEMAND)),
      );
      const placed = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      for (const outcome of outcomes) {
        if (outcome.status === "fulfilled") continue;
        expect(outcome.reason).to.be.instanceOf(NoCapacityError);
        refused += 1;
      }
      const sums = promised(placed);
      for (const { workerId, used, capacity } of await workers()) {
        expect(used).to.equal((before.get(workerId) ?? 0) + (sums.get(workerId) ?? 0));
        expect(used).to.be.at.most(capacity);
      }
      for (const { containerId, producer, consumers } of placed) {
        const ids = [producer, ...consumers].map(({ workerId }) => workerId);
        expect(new Set(ids).size).to.equal(ids.length);
        expect(ids.every((id) => id.startsWith(containerId))).to.equal(true);
      }
      if (placed.length < CALLERS) await expectNoRoom();
    }
    expect(refused).to.be.above(0);
  });

  /** Counted from the rows, without the repository's help. */
  const expectNoRoom = async () => {
    for (const node of await bench.repositories.fleet.listContainers()) {
      const rooms = node.workers.map(roomOf);
      const total = rooms.reduce((sum, room) => sum + room, 0);
      for (const room of rooms)
        expect(room >= DEMAND.producerCapacity && total - room >= DEMAND.consumerCapacity).to.equal(false);
    }
  };

  it("holds while meetings are created, ended and moved by other programs meanwhile", async () => {
    await fill(0);
    await bench.dataSource.query("UPDATE worker_load SET used = 0");
    const { fleet, meetings } = bench.repositories;
    const live = async (caller: number) => {
      for (let turn = 0; turn < 4; turn += 1) {
        const meetingId = `m${caller}-${turn}`;
        const placed = await fleet.allocate({ ...DEMAND, tenant: "t" }).catch(() => undefined);
        if (!placed) continue;
        const routers = [placed.producer, ...placed.consumers].map(({ workerId, capacity }, n) => ({
          routerId: `${meetingId}-${n}`,
          workerId,
          ...(n === 0 ? { producerCapacity: capacity } : { consumerCapacity: capacity }),
        }));
        if (turn % 3 === 2) await fleet.release(placed.reservationId);
        else await meetings.create({ ...placed, meetingId, routers });
        if (turn % 3 === 0)
          await bench.dataSource.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meetingId]);
        if (turn % 3 === 1 && caller % 2 === 0) await meetings.end(meetingId);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => live(caller)));
    const { kept, counted } = await loads(bench.dataSource);
    expect(kept).to.deep.equal(counted);
    for (const { used, capacity } of await workers()) expect(used).to.be.at.most(capacity);
  });
});
