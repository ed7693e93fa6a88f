import { expect } from "chai";
import fc from "fast-check";
import {
  ContainerInUseError,
  ContainerNotAliveError,
  ContainerNotFoundError,
  MeetingNotFoundError,
  NoCapacityError,
  ReservationNotFoundError,
  WorkerNotFoundError,
} from "../../../../src/errors.js";
import { failureOf } from "../testDataSource.js";
import { FleetModel, type ModelRouter, sorted } from "./fleetModel.js";
import { type Bench, empty, openBench } from "./support.js";

const NODES = ["N", "n", "é", "e", "__proto__"] as const;
const TENANTS = ["t", "T"] as const;
const MEETINGS = [
  "M",
  "m",
  "é",
  "e\u0301",
  "'; DROP TABLE meeting_status; -- ",
  '\\" OR 1=1 #',
  "😀".repeat(64),
  "constructor",
  "__proto__",
  "%_`",
].map((id) => id.trimEnd());
const ROUNDS = Number(process.env.MODEL_ROUNDS ?? 40);

const KINDS = [
  "register",
  "kill",
  "beat",
  "toggle",
  "remove",
  "allocate",
  "release",
  "confirm",
  "create",
  "createReserved",
  "replace",
  "end",
  "bareEnd",
] as const;
const step = fc.record({
  kind: fc.constantFrom(...KINDS, "register", "allocate", "create", "createReserved"),
  node: fc.constantFrom(...NODES),
  other: fc.constantFrom(...NODES),
  tenant: fc.constantFrom(...TENANTS),
  meeting: fc.constantFrom(...MEETINGS),
  producers: fc.constantFrom(0, 1, 100, 250, 500, 501),
  consumers: fc.constantFrom(0, 1, 150, 400, 500, 900, 1_001),
  pick: fc.nat(20),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe("fleet and meetings against a model", function () {
  this.timeout(600_000);
  let bench: Bench;
  let model: FleetModel;
  let reservationIds: string[];

  before(async () => {
    bench = await openBench(4);
  });
  after(() => bench?.close());

  const fleet = () => bench.repositories.fleet;
  const meetings = () => bench.repositories.meetings;
  const routersOn = ({ node, meeting, producers, consumers }: Step): ModelRouter[] => {
    const name = `r${MEETINGS.indexOf(meeting)}'`;
    return [
      { routerId: `${name}p`, workerId: `${node}|0`, producerCapacity: producers },
      { routerId: `${name}c`, workerId: `${node}|1`, consumerCapacity: consumers },
    ];
  };
  const refused = async (attempt: Promise<unknown>, error: new (...args: never[]) => Error) =>
    expect(await failureOf(attempt)).to.be.instanceOf(error);

  const steps: Record<Step["kind"], (step: Step) => Promise<unknown>> = {
    register: async ({ node, tenant }) => {
      const workers = [0, 1, 2].map((n) => `${node}|${n}`);
      const known = model.nodes.get(node);
      await fleet().registerContainer({ containerId: node, host: `h-${node}`, tenant, workerIds: workers });
      model.nodes.set(node, { tenant, host: `h-${node}`, workers, alive: true, enabled: known?.enabled ?? true });
    },
    kill: async ({ node }) => {
      await bench.dataSource.query("UPDATE container_heartbeat SET heartbeat = 5 WHERE container_id = ?", [node]);
      const known = model.nodes.get(node);
      if (known) known.alive = false;
    },
    beat: async ({ node }) => {
      const known = model.nodes.get(node);
      if (!known) return refused(fleet().recordHeartbeat(node), ContainerNotFoundError);
      await fleet().recordHeartbeat(node);
      known.alive = true;
    },
    toggle: async ({ node, pick }) => {
      const known = model.nodes.get(node);
      if (!known) return refused(fleet().setStatus(node, true), ContainerNotFoundError);
      known.enabled = pick % 2 === 0;
      await fleet().setStatus(node, known.enabled);
    },
    remove: async ({ node }) => {
      if (model.holdsRouters(node)) return refused(fleet().removeContainer(node), ContainerInUseError);
      expect(await fleet().removeContainer(node)).to.equal(model.nodes.has(node) ? "removed" : "not-found");
      model.remove(node);
    },
    allocate: async ({ tenant, producers, consumers }) => {
      const demand = { producerCapacity: producers, consumerCapacity: consumers };
      const best = model.bestNode(tenant, demand);
      if (best === undefined) return refused(fleet().allocate({ tenant, ...demand }), NoCapacityError);
      const fewest = model.fewestConsumerWorkers(best, demand);
      const placed = await fleet().allocate({ tenant, ...demand });
      expect(placed).to.include({ containerId: best, host: `h-${best}` });
      expect(placed.consumers).to.have.length(fewest as number);
      const { producer } = placed;
      const shares = [
        { routerId: "p", workerId: producer.workerId, producerCapacity: producer.capacity },
        ...placed.consumers.map(({ workerId, capacity }) => ({ routerId: "c", workerId, consumerCapacity: capacity })),
      ];
      const total = placed.consumers.reduce((sum, { capacity }) => sum + capacity, 0);
      expect([producer.capacity, total]).to.deep.equal([producers, consumers]);
      expect(new Set(shares.map(({ workerId }) => workerId)).size).to.equal(shares.length);
      model.reservations.set(placed.reservationId, { containerId: best, shares });
      for (const { workerId } of shares.slice(producers === 0 ? 1 : 0)) expect(model.used(workerId)).to.be.at.most(500);
      reservationIds.push(placed.reservationId);
    },
    release: async ({ pick }) => {
      const id = reservationIds[pick % reservationIds.length] ?? "none";
      expect(await fleet().release(id)).to.equal(model.reservations.delete(id) ? "released" : "not-found");
    },
    confirm: async ({ pick }) => {
      const id = reservationIds[pick % reservationIds.length] ?? "none";
      if (!model.reservations.delete(id)) return refused(fleet().confirm(id), ReservationNotFoundError);
      await fleet().confirm(id);
    },
    create: async (step) => {
      const { meeting, node } = step;
      const routers = routersOn(step);
      const creating = meetings().create({ meetingId: meeting, containerId: node, routers });
      if (model.meetings.has(meeting)) return expect(await creating).to.equal("already-exists");
      if (!model.nodes.has(node)) return refused(creating, WorkerNotFoundError);
      expect(await creating).to.equal("created");
      model.meetings.set(meeting, { containerId: node, routers });
    },
    createReserved: async (step) => {
      const { meeting, pick } = step;
      const reservationId = reservationIds[pick % reservationIds.length] ?? "none";
      const reservation = model.reservations.get(reservationId);
      const name = `r${MEETINGS.indexOf(meeting)}'`;
      const routers = reservation?.shares.map((share, n) => ({ ...share, routerId: `${name}${n}` })) ?? routersOn(step);
      const containerId = reservation?.containerId ?? step.node;
      const creating = meetings().create({ meetingId: meeting, containerId, routers, reservationId });
      if (model.meetings.has(meeting)) return expect(await creating).to.equal("already-exists");
      if (!reservation) return refused(creating, ReservationNotFoundError);
      expect(await creating).to.equal("created");
      model.reservations.delete(reservationId);
      model.meetings.set(meeting, { containerId, routers });
    },
    replace: async (step) => {
      const { meeting, node, other } = step;
      const routers = routersOn(step);
      const move = { meetingId: meeting, fromContainerId: other, toContainerId: node, routers };
      const known = model.meetings.get(meeting);
      if (!known) return refused(meetings().replace(move), MeetingNotFoundError);
      if (known.containerId !== other)
        return expect(await meetings().replace(move)).to.deep.equal({
          outcome: "lost",
          containerId: known.containerId,
        });
      if (model.nodes.get(other)?.alive)
        return expect(await meetings().replace(move)).to.deep.equal({ outcome: "still-alive" });
      if (!model.nodes.get(node)?.alive) return refused(meetings().replace(move), ContainerNotAliveError);
      expect(await meetings().replace(move)).to.deep.equal({ outcome: "replaced" });
      model.meetings.set(meeting, { containerId: node, routers });
    },
    end: async ({ meeting }) =>
      expect(await meetings().end(meeting)).to.equal(model.meetings.delete(meeting) ? "ended" : "not-found"),
    bareEnd: async ({ meeting }) => {
      await bench.dataSource.query("DELETE FROM meeting_status WHERE meeting_id = ?", [meeting]);
      model.meetings.delete(meeting);
    },
  };

  const tables = async () => {
    const rows = async (sql: string): Promise<unknown[][]> =>
      ((await bench.dataSource.query(sql)) as Record<string, unknown>[]).map((row) => Object.values(row));
    const numbers = (all: unknown[][]) => all.map(([id, ...counts]) => [id, ...counts.map(Number)]);
    const routers = await rows(
      `SELECT w.router_id, m.meeting_id, m.container_id, w.worker_id, m.producer_capacity, m.consumer_capacity
       FROM router_worker w LEFT JOIN router_meeting m ON m.router_id = w.router_id`,
    );
    return [
      sorted(await rows("SELECT meeting_id FROM meeting_status")),
      sorted(routers),
      sorted(numbers(await rows("SELECT worker_id, used FROM worker_load"))),
      sorted(numbers(await rows("SELECT container_id, free, smallest_room, largest_room FROM container_load"))),
    ];
  };

  const expectReadsToAgree = async () => {
    for (const [meetingId, { containerId, routers }] of model.meetings) {
      const told = await meetings().describe(meetingId);
      expect(told.hosts).to.deep.equal([`h-${containerId}`]);
      expect(told.routers.map(({ routerId }) => routerId)).to.have.members(routers.map(({ routerId }) => routerId));
      expect(await meetings().findContainerId(meetingId)).to.equal(containerId);
    }
    const listed = await fleet().listContainers();
    expect(
      listed.map(({ containerId, tenant, alive, enabled }) => [containerId, tenant, alive, enabled]),
    ).to.have.deep.members([...model.nodes].map(([id, { tenant, alive, enabled }]) => [id, tenant, alive, enabled]));
    const stale = (await fleet().findStaleContainers()).map(({ containerId }) => containerId);
    expect(stale).to.have.members([...model.nodes].filter(([, { alive }]) => !alive).map(([id]) => id));
  };

  it(`agree after every step of ${ROUNDS} random stories`, () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (story) => {
        await empty(bench.dataSource);
        model = new FleetModel();
        reservationIds = [];
        for (const each of story) {
          await steps[each.kind](each);
          expect(await tables()).to.deep.equal(model.rows());
        }
        await expectReadsToAgree();
      }),
      { numRuns: ROUNDS, endOnFailure: false, interruptAfterTimeLimit: 500_000 },
    ));
});
