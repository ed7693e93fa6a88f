import { expect } from "chai";
import type { RedisConfig } from "../../../src/config/types.js";
import type { PublishOutcome } from "../../../src/redis/signals/publisher.js";
import type { Signal } from "../../../src/redis/signals/types.js";
import {
  type RedisCluster,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { lateness, type Opened, openClient, redisConfig } from "./openClient.js";
import { joined } from "./signalLoad.js";
import { moveSlot, otherMaster } from "./slots.js";

const stream = (meetingId: string) => `room-stream:${meetingId}`;
const signalsOf = (meetingId: string, count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => joined(meetingId, `${meetingId}/${first + i}`));
const requestIdsOf = (signals: readonly Signal[]) => signals.map(({ requestId }) => requestId);
const statuses = (outcomes: readonly PublishOutcome[]) => [...new Set(outcomes.map(({ status }) => status))];
const errorCodes = (outcomes: readonly PublishOutcome[]) =>
  outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.error.code] : []));

/** From here on the streams' expiry is fresh: what is published to them goes by batches. */
async function warm({ signals }: Opened, ...meetingIds: string[]) {
  for (const meetingId of meetingIds) await signals.publish(joined(meetingId, `${meetingId}/warm`));
  // The expiry's reply comes before this one's.
  for (const meetingId of meetingIds) await signals.read(meetingId);
}

async function stored({ signals }: Opened, meetingId: string) {
  const events = await signals.read(meetingId, { count: 10_000 });
  return events.map((event) => ("requestId" in event ? event.requestId : "")).filter((id) => !id.endsWith("/warm"));
}

describe("Publishing many signals to one server, under faults", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let proxy: TcpProxy;
  const all: Opened[] = [];
  const open = async (more: Partial<RedisConfig> = {}) => {
    const opened = await openClient(redisConfig("single", [proxy], more));
    all.push(opened);
    return opened;
  };

  before(async () => {
    server = await startRedisServer();
    proxy = await startProxy(server);
  });

  afterEach(() => Promise.all(all.splice(0).map(({ client }) => client.close(0))));

  after(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  it("calls all of them unknown whose replies are cut off, sends none again and goes on", async () => {
    const opened = await open();
    await warm(opened, "cut");
    const cut = proxy.cutAfterRequest((request) => request.includes("cut/19"));
    const many = signalsOf("cut", 20);
    const outcomes = await opened.signals.publishMany(many);
    await cut;
    expect(statuses(outcomes)).to.deep.equal(["unknown"]);
    expect(new Set(errorCodes(outcomes))).to.deep.equal(new Set(["ErrPublishUnknown"]));
    expect(await stored(opened, "cut")).to.deep.equal(requestIdsOf(many));
    expect(statuses(await opened.signals.publishMany(signalsOf("cut", 20, 20)))).to.deep.equal(["stored"]);
    expect(opened.client.state()).to.include({ inFlight: 0, waiting: 0 });
  });

  it("ends at its deadline or its caller's signal while the server is frozen, and keeps the places until the connection is given up", async () => {
    const opened = await open({ writeTimeoutMs: 1_000 });
    await warm(opened, "frozen");
    await server.pause();
    try {
      const began = performance.now();
      const timed = opened.signals.publishMany(signalsOf("frozen", 10), { timeoutMs: 300 });
      const controller = new AbortController();
      const aborted = opened.signals.publishMany(signalsOf("frozen", 10, 10), { signal: controller.signal });
      const untimed = opened.signals.publishMany(signalsOf("frozen", 10, 20));
      controller.abort();
      expect(statuses(await aborted)).to.deep.equal(["unknown"]);
      const late = await lateness(timed, 300);
      expect(performance.now() - began).to.be.at.least(299);
      expect(late).to.be.below(500);
      expect(statuses(await timed)).to.deep.equal(["unknown"]);
      expect(opened.client.state().inFlight).to.equal(30);
      expect(await lateness(untimed, 1_000 - (performance.now() - began))).to.be.below(1_000);
      expect((await untimed)[0])
        .to.have.nested.property("error.message")
        .that.includes("no reply within 1000 ms");
    } finally {
      await server.resume();
    }
    expect(statuses(await opened.signals.publishMany(signalsOf("frozen", 1, 30)))).to.deep.equal(["stored"]);
    expect(opened.client.state().inFlight).to.equal(0);
    const read = await stored(opened, "frozen");
    expect(new Set(read).size, "none twice").to.equal(read.length);
    expect(read).to.include("frozen/30");
  });

  it("creates streams again that are gone, in order and with their expiry", async () => {
    const opened = await open();
    await warm(opened, "gone", "there");
    await server.call("DEL", stream("gone"));
    const many = [...signalsOf("gone", 20), ...signalsOf("there", 20)];
    expect(statuses(await opened.signals.publishMany(many))).to.deep.equal(["stored"]);
    for (const room of ["gone", "there"]) {
      expect(await stored(opened, room)).to.deep.equal(requestIdsOf(signalsOf(room, 20)));
      expect(Number(await server.call("PTTL", stream(room)))).to.be.within(3_400_000, 3_600_000);
    }
  });

  it("stores large ones, as they are", async () => {
    const opened = await open();
    await warm(opened, "large");
    const many = signalsOf("large", 12).map((signal, i) => ({
      ...signal,
      payload: { userJoinedReason: "ₓé".repeat(1 + 4_000 * i) },
    })) as Signal[];
    expect(statuses(await opened.signals.publishMany(many))).to.deep.equal(["stored"]);
    const read = (await opened.signals.read("large", { count: 100 })).slice(1);
    const payloadOf = (event: unknown) => (event as Signal).payload;
    expect(read.map(payloadOf)).to.deep.equal(many.map(payloadOf));
  });

  it("tells which the server refused for good", async () => {
    const opened = await open();
    await warm(opened, "good", "bad");
    await server.call("SET", stream("bad"), "no stream");
    const outcomes = await opened.signals.publishMany([...signalsOf("good", 2), ...signalsOf("bad", 2)]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(["stored", "stored", "not-stored", "not-stored"]);
    expect(errorCodes(outcomes)).to.deep.equal(["ErrRedisCommand", "ErrRedisCommand"]);
    expect(outcomes[3]).to.have.nested.property("error.message").that.includes("WRONGTYPE");
  });

  it("refuses what was never set in a list", async () => {
    const { signals } = await open();
    for (const options of [{}, { idempotent: true }])
      expect(errorCodes(await signals.publishMany(new Array<Signal>(2), options))).to.deep.equal([
        "ErrInvalidInput",
        "ErrInvalidInput",
      ]);
  });

  it("waits for a server that restarts, and stores none twice", async () => {
    const opened = await open();
    await warm(opened, "back");
    await server.kill();
    proxy.cutAll();
    const publishing = opened.signals.publishMany(signalsOf("back", 20));
    await server.restart();
    const outcomes = await publishing;
    const certain = outcomes.filter(({ status }) => status === "stored").map(({ requestId }) => requestId);
    const unknown = outcomes.filter(({ status }) => status === "unknown").map(({ requestId }) => requestId);
    expect(certain.length + unknown.length).to.equal(20);
    const read = await stored(opened, "back");
    expect(new Set(read).size, "none twice").to.equal(read.length);
    expect(read).to.include.members(certain);
  });

  it("is waited for by close, and ended as unknown when that takes too long", async () => {
    const first = await open();
    await warm(first, "closed");
    const inTime = first.signals.publishMany(signalsOf("closed", 20));
    await first.client.close(5_000);
    expect(statuses(await inTime)).to.deep.equal(["stored"]);
    const after = await first.signals.publishMany(signalsOf("closed", 2));
    expect(errorCodes(after)).to.deep.equal(["ErrClientNil", "ErrClientNil"]);

    const second = await open();
    await warm(second, "ended");
    await server.pause();
    try {
      const tooLate = second.signals.publishMany(signalsOf("ended", 5));
      await second.client.close(50);
      expect(statuses(await tooLate)).to.deep.equal(["unknown"]);
    } finally {
      await server.resume();
    }
  });
});

describe("Publishing many signals to a cluster, under faults", function () {
  this.timeout(120_000);
  let cluster: RedisCluster;
  let opened: Opened;

  before(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 });
    // Just as many places as one call takes, and none to wait at: what is redirected keeps its own.
    opened = await openClient(redisConfig("cluster", cluster.nodes, { maxInFlight: 40, maxWaiting: 0 }));
  });

  after(async () => {
    await opened?.client.close(0);
    await cluster?.stop();
  });

  it("follows a slot that moves, in order and each once", async () => {
    const rooms = ["moves", "stays"];
    await warm(opened, ...rooms);
    const from = await cluster.masterOf(stream("moves"));
    const to = await otherMaster(cluster, from);
    let count = 0;
    const publish = async () => {
      const outcomes = await opened.signals.publishMany(rooms.flatMap((room) => signalsOf(room, 20, count)));
      count += 20;
      expect(statuses(outcomes)).to.deep.equal(["stored"]);
    };
    await moveSlot(from, to, stream("moves"), publish, publish);
    await publish();
    await publish();
    for (const room of rooms) expect(await stored(opened, room)).to.deep.equal(requestIdsOf(signalsOf(room, 80)));
  });

  it("stores none twice and nothing that it called not stored when a master is killed, and goes on with its successor", async () => {
    const rooms = Array.from({ length: 8 }, (_, i) => `killed-${i}`);
    await warm(opened, ...rooms);
    const outcomes = new Map<string, PublishOutcome>();
    const publish = async (round: number) => {
      const many = rooms.flatMap((room) => signalsOf(room, 5, round * 5));
      for (const outcome of await opened.signals.publishMany(many)) outcomes.set(outcome.requestId as string, outcome);
    };
    for (let round = 0; round < 20; round += 1) await publish(round);
    const killed = await cluster.masterOf(stream(rooms[0] as string));
    const publishing = publish(20);
    await killed.kill();
    await publishing;
    // Each waits for the successor, up to the pool timeout.
    for (let round = 21; round < 30; round += 1) await publish(round);
    for (const room of rooms) {
      const read = await stored(opened, room);
      expect(new Set(read).size, "none twice").to.equal(read.length);
      for (const requestId of read) expect(outcomes.get(requestId)?.status).to.be.oneOf(["stored", "unknown"]);
      for (const { requestId } of signalsOf(room, 45, 105)) expect(read).to.include(requestId as string);
    }
    await killed.restart();
    await cluster.untilHealthy();
  });
});
