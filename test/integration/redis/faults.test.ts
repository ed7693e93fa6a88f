import { once } from "node:events";
import { createServer } from "node:net";
import { expect } from "chai";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { lateness, type Opened, openClient, redisConfig, rejection } from "./openClient.js";

const STREAM = "room-stream:faults";

describe("Redis client on one server, under faults", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let proxy: TcpProxy;
  const opened: Opened[] = [];

  const open = async (
    more: Parameters<typeof redisConfig>[2] = {},
    address: { host: string; port: number } = proxy,
  ) => {
    const client = await openClient(redisConfig("single", [address], more));
    opened.push(client);
    return client;
  };
  const stored = async () => Number(await server.call("XLEN", STREAM));

  beforeEach(async () => {
    server = await startRedisServer();
    proxy = await startProxy(server);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ client }) => client.close(0)));
    await proxy.stop();
    await server.stop();
  });

  it("calls a write unknown whose reply is lost, 100 of 100, and never sends it twice", async () => {
    const { redis } = await open();
    for (let i = 1; i <= 100; i += 1) {
      const cut = proxy.cutAfterRequest((request) => request.includes("XADD"));
      const error = await rejection(redis.pushToStream(STREAM, { i }));
      await cut;
      expect(error).to.include({ name: "PublishUnknownError", code: "ErrPublishUnknown" });
      expect(await stored()).to.equal(i);
    }
    const entries = await redis.readStream(STREAM, { count: 1_000 });
    expect(entries.map(({ fields }) => Number(fields.i))).to.deep.equal(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it("lets a stream expire even when the connection is cut behind its only entry", async () => {
    const { redis } = await open();
    const cut = proxy.cutAfterRequest((request) => request.includes("XADD"));
    await rejection(redis.pushToStream(STREAM, { a: 1 }));
    await cut;
    while (Number(await server.call("PTTL", STREAM)) < 0) await redis.readStream(STREAM);
    expect(await stored()).to.equal(1);
  });

  it("repeats a read whose reply is lost", async () => {
    const { redis } = await open();
    const id = await redis.pushToStream(STREAM, { a: 1 });
    const cut = proxy.cutAfterRequest((request) => request.includes("XRANGE"));
    const [entry] = await redis.readStream(STREAM);
    await cut;
    expect(entry?.id).to.equal(id);
  });

  it("gives up a read whose reply is lost each time", async () => {
    const { redis } = await open({ maxRetries: 2 });
    const cuts = [1, 2, 3].map(() => proxy.cutAfterRequest((request) => request.includes("XRANGE")));
    const error = await rejection(redis.readStream(STREAM));
    await Promise.all(cuts);
    expect(error).to.include({ code: "ErrRedisCommand", command: "XRANGE" });
  });

  it("says not stored by the deadline while the server is down, in bounded memory, and recovers by itself", async () => {
    const { redis, client } = await open({ poolTimeoutMs: 1_000, maxInFlight: 100, maxWaiting: 200 }, server);
    await server.kill();
    const value = "x".repeat(1_000);
    const pushing = Promise.all(
      Array.from({ length: 1_000 }, (_, i) => rejection(redis.pushToStream(STREAM, { i, value }))),
    );
    expect(await lateness(pushing, 1_000)).to.be.below(1_000);
    const errors = await pushing;
    expect(new Set(errors.map(({ name }) => name))).to.deep.equal(new Set(["NotStoredError", "BackpressureError"]));
    expect(errors.filter(({ name }) => name === "NotStoredError").length).to.be.within(1, 300);
    expect(client.state().status).to.equal("disconnected");
    await server.restart();
    const id = await redis.pushToStream(STREAM, { after: true }, { timeoutMs: 5_000 });
    const entries = await redis.readStream(STREAM);
    expect(
      entries.map((entry) => entry.id),
      "nothing that was called not stored came later",
    ).to.deep.equal([id]);
    expect(client.state()).to.deep.include({ status: "ready", waiting: 0 });
  });

  it("waits out a restart without failing a caller that was not in flight", async () => {
    const { redis } = await open({}, server);
    await server.kill();
    const pushes = Array.from({ length: 50 }, (_, i) => redis.pushToStream(STREAM, { i }));
    await server.restart();
    expect(new Set(await Promise.all(pushes)).size).to.equal(50);
    expect(await stored()).to.equal(50);
  });

  it("keeps its deadline while the server is frozen, says unknown for what was sent, and serves again afterwards", async () => {
    const { redis, client } = await open({ writeTimeoutMs: 500, readTimeoutMs: 500, dialTimeoutMs: 500 }, server);
    await redis.pushToStream(STREAM, { i: 0 });
    await server.pause();
    const timed = async (timeoutMs: number) => {
      const pushing = rejection(redis.pushToStream(STREAM, { timeoutMs }, { timeoutMs }));
      const late = await lateness(pushing, timeoutMs);
      return { name: (await pushing).name, late };
    };
    const results = await Promise.all([100, 200, 400].map(timed));
    for (const { name, late } of results) {
      expect(name).to.equal("PublishUnknownError");
      expect(late).to.be.lessThan(100);
    }
    // The silent connection is given up after 500 ms; from then on nothing is sent at all.
    await rejection(redis.readStream(STREAM, { timeoutMs: 700 }));
    expect((await timed(300)).name).to.equal("NotStoredError");
    expect((await rejection(redis.readStream(STREAM, { timeoutMs: 300 }))).name).to.equal("DeadlineExceededError");
    await server.resume();
    await redis.pushToStream(STREAM, { again: 1 });
    expect(client.state().inFlight).to.be.lessThan(5);
    expect(await stored()).to.be.within(2, 5);
  });

  it("closes within its bound while the server is frozen", async () => {
    const { redis, client } = await open({}, server);
    await redis.subscribe("chan", () => undefined);
    await server.pause();
    const pending = rejection(redis.pushToStream(STREAM, { a: 1 }));
    const began = performance.now();
    expect(await lateness(client.close(300), 300)).to.be.below(150);
    expect(performance.now() - began).to.be.at.least(290);
    expect((await pending).name).to.equal("PublishUnknownError");
  });

  it("bounds what is in flight and who waits", async () => {
    const { redis, client } = await open({ maxInFlight: 2, maxWaiting: 3, poolTimeoutMs: 300 });
    proxy.freeze();
    const errors = await Promise.all(
      Array.from({ length: 8 }, () => rejection(client.send("PING", [], { kind: "read" }))),
    );
    expect(errors.filter(({ name }) => name === "BackpressureError").length).to.equal(6);
    expect(errors[7]?.message).to.match(/nothing was sent/);
    proxy.thaw();
    expect(await redis.pushToStream(STREAM, { a: 1 })).to.match(/-/);
  });

  it("takes one place for each push, and none besides for its expiry", async () => {
    const { redis, logger } = await open({ maxInFlight: 3, maxWaiting: 0 });
    const streams = [1, 2, 3].map((i) => `${STREAM}-${i}`);
    await Promise.all(streams.map((stream) => redis.pushToStream(stream, { a: 1 })));
    for (const stream of streams) expect(Number(await server.call("PTTL", stream))).to.be.above(0);
    expect(logger.lines.filter(({ level }) => level === "warn")).to.deep.equal([]);
  });

  it("drops a connection that has gone silent although every caller left before the reply was due", async () => {
    const { client, redis } = await open({ maxInFlight: 20, maxWaiting: 0, readTimeoutMs: 300, writeTimeoutMs: 300 });
    proxy.freeze();
    const began = performance.now();
    const left = Array.from({ length: 20 }, () => rejection(client.send("PING", [], { kind: "read", timeoutMs: 50 })));
    expect(new Set((await Promise.all(left)).map(({ name }) => name))).to.deep.equal(
      new Set(["DeadlineExceededError"]),
    );
    expect(client.state().inFlight, "ioredis still holds them").to.equal(20);
    while (client.state().inFlight > 0 && performance.now() - began < 3_000) await new Promise(setImmediate);
    expect(client.state().inFlight).to.equal(0);
    proxy.thaw();
    expect(await redis.pushToStream(STREAM, { a: 1 })).to.match(/-/);
  });

  it("refuses a timeout that no timer can wait for, which would fire at once", async () => {
    const { redis, client, signals } = await open();
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "5" as never])
      for (const call of [
        client.send("PING", [], { kind: "read", timeoutMs }),
        redis.pushToStream(STREAM, { a: 1 }, { timeoutMs }),
        redis.readStream(STREAM, { timeoutMs }),
        redis.publish("chan", "x", { timeoutMs }),
        signals.read("m1", { timeoutMs } as never),
      ])
        expect(await rejection(call)).to.include({ name: "InvalidInputError", argument: "options.timeoutMs" });
    for (const timeoutMs of [-1, Number.NaN, 2 ** 31]) {
      expect(await rejection(client.connect(timeoutMs))).to.include({ name: "InvalidInputError" });
      expect(await rejection(client.close(timeoutMs))).to.include({ name: "InvalidInputError" });
    }
    expect(await stored()).to.equal(0);
    expect(await redis.pushToStream(STREAM, { a: 1 }, { timeoutMs: 2 ** 31 - 1 })).to.match(/-/);
  });

  it("obeys the caller's AbortSignal and says what became of the write", async () => {
    const { redis } = await open();
    const before = await rejection(redis.pushToStream(STREAM, { a: 1 }, { signal: AbortSignal.abort() }));
    expect(before.name).to.equal("OperationAbortedError");
    const sent = new AbortController();
    proxy.freeze();
    const push = rejection(redis.pushToStream(STREAM, { a: 1 }, { signal: sent.signal }));
    setImmediate(() => sent.abort());
    expect((await push).name).to.equal("PublishUnknownError");
    proxy.thaw();
  });

  it("does not store, and does not repeat, what the server refuses", async () => {
    const { redis } = await open();
    await server.call("SET", "a-string", "x");
    expect(await rejection(redis.pushToStream("a-string", { a: 1 }))).to.include({ code: "ErrRedisCommand" });
    await server.call("CONFIG", "SET", "maxmemory", "1");
    const error = await rejection(redis.pushToStream(STREAM, { a: 1 }));
    expect(error.message).to.match(/OOM/);
    await server.call("CONFIG", "SET", "maxmemory", "0");
    expect(await stored()).to.equal(0);
  });

  it("subscribes again after a reconnection", async () => {
    const { redis } = await open();
    let deliver: (message: string) => void = () => undefined;
    await redis.subscribe("chan", (message) => deliver(message));
    proxy.cutAll();
    const message = new Promise((resolve) => {
      deliver = resolve;
    });
    while ((await server.call("PUBLISH", "chan", "again")) === 0) await redis.readStream(STREAM);
    expect(await message).to.equal("again");
  });

  it("notices that a subscribed connection has gone silent, and subscribes again", async () => {
    const { redis, logger } = await open({ readTimeoutMs: 300 });
    let deliver: (message: string) => void = () => undefined;
    await redis.subscribe("chan", (message) => deliver(message));
    const message = new Promise((resolve) => {
      deliver = resolve;
    });
    proxy.freeze();
    const began = performance.now();
    const dropped = () => logger.lines.some((line) => line.message === "no reply within 300 ms");
    while (!dropped() && performance.now() - began < 5_000) await new Promise(setImmediate);
    expect(dropped()).to.equal(true);
    proxy.thaw();
    while ((await server.call("PUBLISH", "chan", "again")) === 0) await redis.readStream(STREAM);
    expect(await message).to.equal("again");
  });

  it("subscribes and ends subscriptions while the server is down without keeping anything for later", async () => {
    const { redis } = await open({ poolTimeoutMs: 300 });
    await redis.subscribe("kept", () => undefined);
    await server.kill();
    const errors = await Promise.all(["a", "b"].map((name) => rejection(redis.subscribe(name, () => undefined))));
    expect(new Set(errors.map(({ name }) => name))).to.deep.equal(new Set(["DeadlineExceededError"]));
    await server.restart();
    while (!String(await server.call("PUBSUB", "CHANNELS")).includes("kept"))
      await redis.readStream(STREAM, { timeoutMs: 5_000 });
    expect(await server.call("PUBSUB", "CHANNELS")).to.deep.equal(["kept"]);
    expect(await server.call("INFO", "commandstats")).to.match(/cmdstat_subscribe:calls=1,/);
  });

  it("says no reply from a server that accepts connections and says nothing", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const opening = openClient(redisConfig("single", [{ host: "127.0.0.1", port }]), 500);
    const error = rejection(opening);
    expect(await lateness(opening, 500)).to.be.lessThan(1_000);
    expect(await error).to.include({ name: "RedisPingError", code: "ErrPingingRedisCluster" });
    silent.close();
  });
});
