import { expect } from "chai";
import {
  type RedisCluster,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { startProxy } from "../../support/proxy.js";
import { lateness, type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { SignalLoad } from "./signalLoad.js";
import { moveSlot, otherMaster } from "./slots.js";

const MEETINGS = 24;
const TIMEOUTS = {
  poolTimeoutMs: 1_500,
  readTimeoutMs: 1_000,
  writeTimeoutMs: 1_000,
  dialTimeoutMs: 1_000,
  followSweepMs: 1_000,
};

describe("Subscriptions on one server, under faults", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let opened: Opened | undefined;

  const open = async (address: { host: string; port: number } = server) => {
    opened = await openClient(redisConfig("single", [address], TIMEOUTS));
    return opened;
  };

  before(async () => {
    server = await startRedisServer();
  });

  afterEach(() => opened?.client.close(0));

  after(() => server?.stop());

  it("goes on where it was when the server is killed and restarted", async () => {
    const load = await SignalLoad.start(await open(), "restart", MEETINGS);
    await server.restart();
    await load.untilProgress();
    await load.finish();
    expect(await server.call("CONFIG", "GET", "notify-keyspace-events")).to.deep.equal([
      "notify-keyspace-events",
      "tK",
    ]);
  });

  it("goes on where it was when every connection is cut, again and again", async () => {
    const proxy = await startProxy(server);
    const load = await SignalLoad.start(await open(proxy), "cut", MEETINGS);
    for (let i = 0; i < 5; i += 1) {
      proxy.cutAll();
      await load.untilProgress();
    }
    await load.finish({ lossless: true });
    await proxy.stop();
  });

  it("drops connections to a frozen server, and goes on when it is back", async () => {
    const { client } = await open();
    const load = await SignalLoad.start(opened as Opened, "frozen", MEETINGS);
    const ids = async () => String(await server.call("CLIENT", "LIST", "TYPE", "pubsub")).match(/^id=\d+/gm);
    const before = await ids();
    expect(before).to.have.length(1);
    await server.pause();
    // Longer than the read timeout and the probe before it: a command of the same client fails as late as that.
    await client.send("PING", [], { kind: "read", timeoutMs: 2_500 }).catch(() => undefined);
    await server.resume();
    await load.untilProgress();
    expect(await ids())
      .to.have.length(1)
      .and.not.deep.equal(before);
    await load.finish({ lossless: true });
  });

  it("keeps its deadlines while the server is frozen, and leaves nothing behind", async () => {
    const { signals, client } = await open();
    const running = await signals.subscribe("m1");
    await server.pause();
    const subscribing = rejection(signals.subscribe(["m2", "m3"], { timeoutMs: 300 }));
    expect(await lateness(subscribing, 300)).to.be.below(1_000);
    const adding = rejection(running.add("m4"));
    expect(await lateness(adding, TIMEOUTS.poolTimeoutMs)).to.be.below(1_000);
    for (const error of [await subscribing, await adding]) expect(error).to.include({ code: "ErrDeadlineExceeded" });
    expect(running.meetingIds).to.deep.equal(["m1"]);
    const end = running.next();
    await client.close(0);
    expect(await end).to.deep.equal({ done: true, value: undefined });
    await server.resume();
  });

  it("ends an add at once that is closed while the server is frozen, and has another of the same meeting wait with it", async () => {
    const { signals } = await open();
    const [closed, running] = [await signals.subscribe([]), await signals.subscribe([])];
    await server.pause();
    const ended = rejection(closed.add("m5", "start"));
    const adds = [running.add("m5", "start"), running.add("m5")];
    await closed.close();
    expect(await ended).to.include({ code: "ErrAborted" });
    const first = await Promise.race([...adds, rejection(signals.subscribe("m6", { timeoutMs: 100 }))]);
    expect(first).to.include({ code: "ErrDeadlineExceeded" });
    await server.resume();
    await Promise.all(adds);
  });

  it("misses nothing when an operator switches notifications off, and switches them on again", async () => {
    const load = await SignalLoad.start(await open(), "off", MEETINGS);
    await server.call("CONFIG", "SET", "notify-keyspace-events", "");
    await load.untilProgress();
    while (String(await server.call("CONFIG", "GET", "notify-keyspace-events")) !== "notify-keyspace-events,tK")
      await load.untilProgress();
    await load.finish({ lossless: true });
  });
});

describe("Subscriptions on a cluster, under faults", function () {
  this.timeout(60_000);
  let cluster: RedisCluster;
  let opened: Opened;

  before(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 });
  });

  beforeEach(async () => {
    opened = await openClient(redisConfig("cluster", cluster.nodes, TIMEOUTS));
  });

  afterEach(async () => {
    await opened?.client.close(0);
    await cluster.untilHealthy();
  });

  after(() => cluster?.stop());

  it("goes on where it was when a master is killed under load", async () => {
    const load = await SignalLoad.start(opened, "killed", MEETINGS);
    const master = await cluster.masterOf("room-stream:killed-0");
    await master.kill();
    await load.untilProgress();
    await master.restart();
    await load.finish();
  });

  it("follows a failover that an operator asks for", async () => {
    const load = await SignalLoad.start(opened, "failover", MEETINGS);
    const replica = await cluster.replicaOf("room-stream:failover-0");
    await replica.call("CLUSTER", "FAILOVER");
    while ((await cluster.masterOf("room-stream:failover-0")).port !== replica.port) await load.untilProgress();
    await load.untilProgress();
    await load.finish({ lossless: true });
  });

  it("follows slots that move while signals are published", async () => {
    const load = await SignalLoad.start(opened, "moving", MEETINGS);
    const from = await cluster.masterOf("room-stream:moving-0");
    const moving: string[] = [];
    for (const meetingId of load.meetingIds)
      if ((await cluster.masterOf(`room-stream:${meetingId}`)).port === from.port) moving.push(meetingId);
    const to = await otherMaster(cluster, from);
    const move = (meetingId: string) =>
      moveSlot(from, to, `room-stream:${meetingId}`, () => load.untilProgress([meetingId]));
    await Promise.all(moving.map(move));
    await load.untilProgress();
    await load.finish({ lossless: true });
    expect(moving).not.to.deep.equal([]);
  });

  it("goes on with the replica of a master that freezes", async () => {
    const load = await SignalLoad.start(opened, "frozen", MEETINGS);
    const master = await cluster.masterOf("room-stream:frozen-0");
    await master.pause();
    try {
      await load.untilProgress();
    } finally {
      await master.resume();
    }
    await load.finish();
  });
});
