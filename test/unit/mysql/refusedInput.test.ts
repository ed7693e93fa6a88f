import { expect } from "chai";
import { InvalidInputError } from "../../../src/errors.js";
import type { Database } from "../../../src/mysql/repositories/database.js";
import { FleetRepository } from "../../../src/mysql/repositories/fleet.js";
import { MeetingRepository } from "../../../src/mysql/repositories/meetings.js";

const asked = () => {
  throw new Error("A query was sent");
};
const nobody: Database = { query: asked, execute: asked, transaction: asked };
const fleet = new FleetRepository(nobody);
const meetings = new MeetingRepository(nobody);

// biome-ignore lint/suspicious/noExplicitAny: what callers without types hand over.
type Anything = any;
const NO_IDS: readonly Anything[] = ["", 0, 5, null, undefined, {}, ["a"], true, "x".repeat(65), "a\0", "\ud800", "a "];
const NO_CAPACITIES: readonly Anything[] = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "4", null, 4n];

const node = { containerId: "c", host: "h", tenant: "t", workerIds: ["w"] };
const routers = [{ routerId: "r", workerId: "w", producerCapacity: 1 }];
const meeting = { meetingId: "m", containerId: "c", routers };
const move = { meetingId: "m", fromContainerId: "c", toContainerId: "d", routers };
const demand = { tenant: "t", producerCapacity: 1, consumerCapacity: 1 };

const withId: Record<string, (id: Anything) => Promise<unknown>> = {
  "registerContainer containerId": (containerId) => fleet.registerContainer({ ...node, containerId }),
  "registerContainer workerIds": (id) => fleet.registerContainer({ ...node, workerIds: [id] }),
  recordHeartbeat: (id) => fleet.recordHeartbeat(id),
  removeContainer: (id) => fleet.removeContainer(id),
  setStatus: (id) => fleet.setStatus(id, true),
  confirm: (id) => fleet.confirm(id),
  release: (id) => fleet.release(id),
  findReplacement: (forContainerId) => fleet.findReplacement({ tenant: "t", forContainerId }),
  "create meetingId": (meetingId) => meetings.create({ ...meeting, meetingId }),
  "create containerId": (containerId) => meetings.create({ ...meeting, containerId }),
  "create routerId": (routerId) => meetings.create({ ...meeting, routers: [{ ...routers[0], routerId } as Anything] }),
  "create workerId": (workerId) => meetings.create({ ...meeting, routers: [{ ...routers[0], workerId } as Anything] }),
  exists: (id) => meetings.exists(id),
  findHost: (id) => meetings.findHost(id),
  findContainerId: (id) => meetings.findContainerId(id),
  describe: (id) => meetings.describe(id),
  configurationOf: (id) => meetings.configurationOf(id),
  "replace meetingId": (meetingId) => meetings.replace({ ...move, meetingId }),
  "replace fromContainerId": (fromContainerId) => meetings.replace({ ...move, fromContainerId }),
  "replace toContainerId": (toContainerId) => meetings.replace({ ...move, toContainerId }),
  end: (id) => meetings.end(id),
};

const withCapacity: Record<string, (capacity: Anything) => Promise<unknown>> = {
  "allocate producerCapacity": (producerCapacity) => fleet.allocate({ ...demand, producerCapacity }),
  "allocate consumerCapacity": (consumerCapacity) => fleet.allocate({ ...demand, consumerCapacity }),
  "findStaleContainers olderThanMs": (olderThanMs) => fleet.findStaleContainers({ olderThanMs }),
  "create producerCapacity": (producerCapacity) =>
    meetings.create({ ...meeting, routers: [{ routerId: "r", workerId: "w", producerCapacity }] }),
  "replace consumerCapacity": (consumerCapacity) =>
    meetings.replace({ ...move, routers: [{ routerId: "r", workerId: "w", consumerCapacity }] }),
};

describe("what fleet and meetings refuse before a query is sent", () => {
  for (const [name, attempt] of Object.entries(withId)) it(`no id: ${name}`, () => expectRefusals(attempt, NO_IDS));
  for (const [name, attempt] of Object.entries(withCapacity))
    it(`no capacity: ${name}`, () => expectRefusals(attempt, NO_CAPACITIES));

  it("no limit", () =>
    expectRefusals((limit) => fleet.overview({ limit }), [0, -1, 1.5, 10_001, "1", null, Number.NaN]));

  it("no tenant, no host", async () => {
    const names = NO_IDS.filter((name) => name !== "x".repeat(65));
    await expectRefusals((tenant) => fleet.allocate({ ...demand, tenant }), [...names, "x".repeat(256)]);
    await expectRefusals((host) => fleet.registerContainer({ ...node, host }), names);
    const given = names.filter((name) => name !== undefined);
    await expectRefusals((tenant) => fleet.listContainers({ tenant }), given);
    await expectRefusals((tenant) => fleet.findStaleContainers({ tenant }), given);
    await expectRefusals((tenant) => fleet.overview({ tenant }), given);
  });

  async function expectRefusals(attempt: (value: Anything) => Promise<unknown>, values: readonly Anything[]) {
    for (const value of values) {
      const error = await attempt(value).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      expect(error, `${typeof value} ${String(value)}`).to.be.instanceOf(InvalidInputError);
    }
  }
});
