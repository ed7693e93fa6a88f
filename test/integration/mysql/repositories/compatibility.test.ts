import { expect } from "chai";
import { RunningServices } from "./runningServices.js";
import { type Bench, empty, loads, openBench, rowCounts } from "./support.js";

describe("beside the running services, which write with their own SQL", function () {
  this.timeout(120_000);
  let bench: Bench;
  let services: RunningServices;

  before(async () => {
    bench = await openBench();
    services = new RunningServices(bench.dataSource);
  });
  after(() => bench?.close());
  beforeEach(() => empty(bench.dataSource));
  afterEach(async () => {
    const { kept, counted } = await loads(bench.dataSource);
    expect(kept).to.deep.equal(counted);
  });

  it("sees a node they booted, and places beside what they placed", async () => {
    const { fleet } = bench.repositories;
    await services.boot("a", "t", ["a0", "a1"]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    const [node] = await fleet.listContainers({ tenant: "t" });
    expect(node).to.deep.include({ alive: true, meetingIds: ["m"], host: "host-a" });
    expect(node?.workers.map(({ used }) => used)).to.deep.equal([200, 400]);
    const placed = await fleet.allocate({ tenant: "t", producerCapacity: 100, consumerCapacity: 300 });
    expect([placed.producer.workerId, placed.consumers[0]?.workerId]).to.deep.equal(["a1", "a0"]);
    await services.beat("a", 1n);
    expect((await fleet.findStaleContainers({ tenant: "t" })).map(({ heartbeat }) => heartbeat)).to.deep.equal([1n]);
  });

  it("sees a meeting's life, and its end leaves nothing", async () => {
    const { meetings } = bench.repositories;
    await services.boot("a", "t", ["a0", "a1"]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    for (const [id, instance] of [
      ["asha", "tab"],
      ["ravi", "phone"],
      ["asha", "laptop"],
    ] as const)
      await services.join("m", id, instance);
    for (const id of ["asha", "ravi"]) {
      await services.transport("producer", id, `${id}-pt`);
      await services.transport("consumer", id, `${id}-ct`);
    }
    for (const kind of ["audio", "video"]) await services.produce("m", "asha", kind);
    await services.consume("m", "ravi", "asha", ["audio", "video"]);
    const told = await meetings.describe("m");
    expect(told.participants.map(({ participantId, instanceId }) => [participantId, instanceId])).to.deep.equal([
      ["asha", "laptop"],
      ["ravi", "phone"],
    ]);
    expect([told.producers.length, told.consumers.length]).to.deep.equal([2, 2]);
    expect(await meetings.findHost("m")).to.equal("host-a");
    await services.close("asha", "asha-audio", ["ravi<asha-audio"]);
    await services.leave("m", "asha", "tab");
    const later = await meetings.describe("m");
    expect([later.participants.length, later.producers.length, later.consumers.length]).to.deep.equal([2, 1, 1]);
    await services.leave("m", "asha", "laptop");
    await services.end("m");
    expect(await rowCounts(bench.dataSource)).to.deep.equal({});
  });

  it("follows a meeting they moved, and a meeting of ours they end", async () => {
    const { fleet, meetings } = bench.repositories;
    for (const id of ["a", "b"]) await services.boot(id, "t", [`${id}0`, `${id}1`]);
    await services.createMeeting("m", "a", ["a0", "a1"]);
    await services.join("m", "asha", "tab");
    await services.replace("m", "b", ["b0", "b1"]);
    expect(await meetings.findContainerId("m")).to.equal("b");
    expect((await fleet.listContainers()).map(({ meetingIds }) => meetingIds)).to.deep.equal([[], ["m"]]);
    const routers = [{ routerId: "o-p", workerId: "a0", producerCapacity: 4 }];
    await meetings.create({ meetingId: "o", containerId: "a", routers });
    await services.end("o");
    await services.end("m");
    expect(await rowCounts(bench.dataSource)).to.deep.equal({});
  });

  it("tells them that a meeting exists by the duplicate key, as before", async () => {
    await services.boot("a", "t", ["a0", "a1"]);
    const routers = [{ routerId: "m-p", workerId: "a0", producerCapacity: 4 }];
    await bench.repositories.meetings.create({ meetingId: "m", containerId: "a", routers });
    const error = await services.createMeeting("m", "a", ["a0", "a1"]).catch((failure: unknown) => failure);
    expect(error).to.include({ errno: 1062 });
  });
});
