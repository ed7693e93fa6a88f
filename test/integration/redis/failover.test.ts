import { EventEmitter, once } from "node:events";
import { expect } from "chai";
import { type RedisCluster, startRedisCluster } from "../../../src/testing/index.js";
import { lateness, type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { moveSlot, otherMaster } from "./slots.js";

const WRITERS = 64;

interface Outcomes {
  readonly acknowledged: Set<string>;
  /** Acknowledgements by stream. */
  readonly progress: Map<string, number>;
  readonly unknown: Set<string>;
  readonly other: Error[];
  longestMs: number;
}

describe("Redis client on a cluster, under faults", function () {
  this.timeout(90_000);
  let cluster: RedisCluster;
  let opened: Opened;
  let stopWriters = () => {};

  beforeEach(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 5_000 });
    opened = await openClient(redisConfig("cluster", cluster.nodes));
  });

  afterEach(async () => {
    stopWriters();
    await opened?.client.close(0);
    await cluster?.stop();
  });

  /** Writers on as many streams, one entry at a time each, until told to stop. */
  function startWriters(streams: readonly string[]) {
    const outcomes: Outcomes = {
      acknowledged: new Set(),
      progress: new Map(),
      unknown: new Set(),
      other: [],
      longestMs: 0,
    };
    let running = true;
    // A closed client refuses at once: writers that a failed test left running would keep the event loop from ever turning.
    stopWriters = () => {
      running = false;
    };
    const write = async (stream: string) => {
      for (let i = 0; running; i += 1) {
        const key = `${stream}/${i}`;
        const began = performance.now();
        try {
          await opened.redis.pushToStream(stream, { key });
          outcomes.acknowledged.add(key);
          outcomes.progress.set(stream, (outcomes.progress.get(stream) ?? 0) + 1);
        } catch (error) {
          if ((error as Error).name === "PublishUnknownError") outcomes.unknown.add(key);
          else outcomes.other.push(error as Error);
        }
        outcomes.longestMs = Math.max(outcomes.longestMs, performance.now() - began);
      }
    };
    const done = Promise.all(streams.map(write));
    const stop = async () => {
      stopWriters();
      await done;
      return outcomes;
    };
    return { outcomes, stop };
  }

  async function storedKeys(streams: readonly string[]): Promise<string[]> {
    const keys: string[] = [];
    for (const stream of streams) {
      let after = "0-0";
      for (;;) {
        const page = await opened.redis.readStream(stream, { after, count: 10_000 });
        if (page.length === 0) break;
        keys.push(...page.map(({ fields }) => fields.key as string));
        after = page.at(-1)?.id ?? after;
      }
    }
    return keys;
  }

  /** Resolves once each stream has an acknowledgement that was not there before. */
  async function untilAllProgress(outcomes: Outcomes, streams: readonly string[]) {
    const before = new Map(outcomes.progress);
    while (streams.some((stream) => outcomes.progress.get(stream) === before.get(stream)))
      await opened.client.send("PING", [], { kind: "read" });
  }

  it("outlasts the kill of a master: callers wait, only those in flight may be unknown, nothing is stored twice", async () => {
    const streams = Array.from({ length: WRITERS }, (_, i) => `room-stream:kill-${i}`);
    const { outcomes, stop } = startWriters(streams);
    await untilAllProgress(outcomes, streams);
    await (await cluster.masterOf(streams[0] as string)).kill();
    await untilAllProgress(outcomes, streams);
    await stop();
    const stored = await storedKeys(streams);
    expect(outcomes.other.map(({ message }) => message)).to.deep.equal([]);
    expect(outcomes.unknown.size).to.be.at.most(WRITERS);
    expect(new Set(stored).size, "none twice").to.equal(stored.length);
    const all = new Set(stored);
    // A master passes an entry on in the same turn of its loop as it answers: a killed process (not a lost host) keeps its word.
    const lost = [...outcomes.acknowledged].filter((key) => !all.has(key));
    expect(lost).to.deep.equal([]);
    expect(outcomes.longestMs).to.be.lessThan(1.6 * 5_000 + 2_000);
  });

  it("leaves a frozen master once its replica has taken over; healthy shards go on", async () => {
    const streams = Array.from({ length: WRITERS }, (_, i) => `room-stream:freeze-${i}`);
    const { outcomes, stop } = startWriters(streams);
    await untilAllProgress(outcomes, streams);
    const frozen = await cluster.masterOf(streams[0] as string);
    const masters = await Promise.all(streams.map((stream) => cluster.masterOf(stream)));
    const healthy = streams[masters.findIndex(({ port }) => port !== frozen.port)] as string;
    await frozen.pause();
    const timed = opened.redis.pushToStream(streams[0] as string, { key: "timed" }, { timeoutMs: 300 });
    const error = rejection(timed);
    expect(await lateness(timed, 300), "milliseconds past its deadline").to.be.lessThan(1_000);
    expect((await error).name).to.equal("PublishUnknownError");
    await opened.redis.pushToStream(healthy, { key: "healthy" }, { timeoutMs: 2_000 });
    await untilAllProgress(outcomes, streams);
    await stop();
    await frozen.resume();
    expect(outcomes.other.map(({ message }) => message)).to.deep.equal([]);
    const stored = await storedKeys(streams);
    expect(new Set(stored).size, "none twice").to.equal(stored.length);
    expect(await lateness(opened.client.close(500), 500), "milliseconds past its deadline").to.be.lessThan(1_000);
  });

  it("follows a planned failover without an error", async () => {
    const streams = Array.from({ length: WRITERS }, (_, i) => `room-stream:planned-${i}`);
    const { outcomes, stop } = startWriters(streams);
    await untilAllProgress(outcomes, streams);
    const old = await cluster.masterOf(streams[0] as string);
    await (await cluster.replicaOf(streams[0] as string)).call("CLUSTER", "FAILOVER");
    while ((await old.role()) === "master") await untilAllProgress(outcomes, streams);
    await untilAllProgress(outcomes, streams);
    await stop();
    expect(outcomes.other.map(({ message }) => message)).to.deep.equal([]);
    const stored = new Set(await storedKeys(streams));
    expect([...outcomes.acknowledged].filter((key) => !stored.has(key))).to.deep.equal([]);
  });

  it("does not call a write unknown, nor drop the connection to the node that answered, while a redirection waits", async () => {
    const stream = "room-stream:moved";
    const from = await cluster.masterOf(stream);
    const to = await otherMaster(cluster, from);
    const other = await openClient(redisConfig("cluster", cluster.nodes, { name: "moved", writeTimeoutMs: 300 }));
    try {
      await other.redis.readStream(stream);
      const connection = async () => /^id=\d+ (?=.* name=moved )/m.exec(String(await from.call("CLIENT", "LIST")))?.[0];
      const before = await connection();
      const slot = Number(await from.call("CLUSTER", "KEYSLOT", stream));
      const id = String(await to.call("CLUSTER", "MYID"));
      for (const node of [to, from]) await node.call("CLUSTER", "SETSLOT", slot, "NODE", id);
      // The client has no connection to the new owner and gets none that answers, so the command stays unsent.
      await to.call("CLIENT", "KILL", "TYPE", "normal");
      await to.pause();
      const error = await rejection(other.redis.pushToStream(stream, { a: 1 }, { timeoutMs: 800 }));
      expect(error.name).to.equal("NotStoredError");
      expect(await connection())
        .to.be.a("string")
        .and.to.equal(before);
    } finally {
      await to.resume();
      await other.client.close(0);
    }
  });

  it("subscribes to a channel whose slot has moved since the client looked", async () => {
    const [one, two] = ["{moved-channel}:1", "{moved-channel}:2"];
    const { redis, client } = await openClient(redisConfig("cluster", cluster.nodes, { poolTimeoutMs: 8_000 }));
    try {
      await redis.subscribe(one, () => undefined);
      const owner = await cluster.masterOf(one);
      await moveSlot(owner, await otherMaster(cluster, owner), one, async () => undefined);
      const arrivals = new EventEmitter();
      const arrived = once(arrivals, "message");
      await redis.subscribe(two, (message) => arrivals.emit("message", message));
      // ioredis may exchange the connection once more while it looks for the slots; what is published then is lost.
      let reached = 0;
      while (reached === 0) reached = await redis.publish(two, "here");
      expect(await arrived).to.deep.equal(["here"]);
    } finally {
      await client.close(0);
    }
  });

  it("renews a subscribed connection that has gone silent", async () => {
    const channel = "room-channel";
    const { redis, client } = await openClient(redisConfig("cluster", cluster.nodes, { readTimeoutMs: 300 }));
    try {
      await redis.subscribe(channel, () => undefined);
      const master = await cluster.masterOf(channel);
      const ids = async () => String(await master.call("CLIENT", "LIST", "TYPE", "pubsub")).match(/^id=\d+/gm) ?? [];
      const [before] = await ids();
      await master.call("CLIENT", "PAUSE", 1_500, "ALL");
      const began = performance.now();
      let now = await ids();
      while ((now.length === 0 || now[0] === before) && performance.now() - began < 10_000) now = await ids();
      expect(before).to.be.a("string");
      expect(now).to.have.length(1).and.not.to.include(before);
    } finally {
      await client.close(0);
    }
  });

  it("gets published messages again after its channel's master was killed", async () => {
    const channel = "room-channel";
    let deliver: (message: string) => void = () => undefined;
    const message = new Promise((resolve) => {
      deliver = resolve;
    });
    await opened.redis.subscribe(channel, (text) => deliver(text));
    await (await cluster.masterOf(channel)).kill();
    let reached = 0;
    while (reached === 0) reached = await opened.redis.publish(channel, "again").catch(() => 0);
    expect(await message).to.equal("again");
  });
});
