import { expect } from "chai";
import type { RedisConfig } from "../../../src/config/types.js";
import { METRICS } from "../../../src/telemetry/metrics.js";
import { RecordedTelemetry } from "../../support/recordedTelemetry.js";
import { Consumed, gate } from "./consumed.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

const JOINED = { type: "DoordarshanUserJoined" };

for (const mode of ["single", "cluster"] as const) {
  describe(`What is measured of Redis, ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let opened: Opened;
    let recorded: RecordedTelemetry;
    let meeting = 0;
    let m = "";
    let stream = "";

    before(async () => {
      target = await startRedisTarget(mode);
    });

    beforeEach(() => {
      m = `meeting-${++meeting}`;
      stream = `room-stream:${m}`;
      recorded = new RecordedTelemetry();
    });

    afterEach(() => opened?.client.close(0));

    after(() => target?.stop());

    async function open(more: Partial<RedisConfig> = {}): Promise<Opened> {
      const config = redisConfig(mode, target.addresses, { followSweepMs: 200, ...more });
      opened = await openClient(config, 10_000, { instruments: recorded.instruments() });
      return opened;
    }

    const commands = (name: string, more = {}) =>
      recorded.total(METRICS.operationDuration, { "db.system.name": "redis", "db.operation.name": name, ...more });

    it("counts what is published by type and outcome, and times it", async () => {
      const { signals } = await open();
      const published = (outcome: string, type = JOINED.type) =>
        recorded.total(METRICS.signalsPublished, { type, outcome });
      await signals.publish(joined(m, "a"));
      for (let i = 0; i < 2; i += 1) await signals.publish(joined(m, "b"), { idempotent: true });
      await rejection(signals.publish({ ...joined(m, "c"), type: "Nonsense" } as never));
      await rejection(signals.publish(null as never));
      await signals.publishMany([joined(m, "d"), { ...joined(m, "e"), meetingId: "" }]);
      expect([published("stored"), published("duplicate"), published("not-stored")]).to.deep.equal([3, 1, 1]);
      expect(published("not-stored", "other")).to.equal(2);
      expect(recorded.total(METRICS.publishDuration, { operation: "publish" })).to.equal(5);
      expect(recorded.total(METRICS.publishDuration, { operation: "publishMany" })).to.equal(1);
      // Behind the first signal of the stream goes its expiry.
      await recorded.until(() => commands("PEXPIRE") === 1);
      expect(commands("XADD")).to.equal(2);
    });

    it("times each command once, by its name and what it failed with", async () => {
      const { client, redis } = await open();
      await redis.readStream(stream);
      await target.call("SET", stream, "no stream");
      await rejection(redis.readStream(stream));
      await client.send("object", ["ENCODING", stream], { kind: "read" });
      expect([commands("XRANGE"), commands("XRANGE", { "error.type": "WRONGTYPE" })]).to.deep.equal([2, 1]);
      expect(commands("other")).to.equal(1);
      const times = recorded.records.filter(({ metric }) => metric === METRICS.operationDuration);
      for (const { value } of times) expect(value).to.be.within(0, 10);
    });

    it("counts who gets no place, and shows who has one and who waits", async () => {
      const { client } = await open({ maxInFlight: 1, maxWaiting: 1 });
      const calls = [0, 1, 2].map(() => client.send("XLEN", [stream], { kind: "read" }));
      const gauges = [METRICS.redisInFlight, METRICS.redisWaiting].map((metric) => recorded.shown(metric));
      const bytes = recorded.shown(METRICS.redisQueuedBytes);
      const error = await rejection(calls[2] as Promise<unknown>);
      expect(error).to.include({ code: "ErrBackpressure" });
      expect(await Promise.all(gauges)).to.deep.equal([1, 1]);
      expect(await bytes).to.be.above(2 * stream.length);
      await Promise.all(calls.slice(0, 2));
      expect(recorded.total(METRICS.connectionTimeouts, { "db.client.connection.pool.name": "redis" })).to.equal(1);
      expect(commands("XLEN", { "error.type": "ErrBackpressure" })).to.equal(1);
      expect(await recorded.shown(METRICS.redisInFlight)).to.equal(0);
      expect(await recorded.shown(METRICS.redisQueuedBytes)).to.equal(0);
    });

    it("counts what subscribers are given, by type, and the commands that read it", async () => {
      const { signals } = await open();
      const received = (type: string) => recorded.total(METRICS.signalsReceived, { type });
      const subscription = await signals.subscribe(m, { handler: () => undefined });
      await signals.publish(joined(m, "a"));
      await target.call("XADD", stream, "*", "f", "v");
      await recorded.until(() => received(JOINED.type) === 1 && received("unrecognised") === 1);
      await target.call("DEL", stream);
      await signals.publish(joined(m, "b"));
      await recorded.until(() => received("resync") === 1 && received(JOINED.type) === 2);
      await subscription.close();
      const iterated = await signals.subscribe(m, { from: "start" });
      await iterated.next();
      expect(received(JOINED.type)).to.equal(3);
      expect(commands("XRANGE")).to.be.above(0);
      expect(commands("XINFO")).to.be.above(0);
    });

    it("shows the meetings that are followed, and how far subscribers are behind", async () => {
      const { signals } = await open();
      for (const [i, seconds] of [100, 50, 20].entries())
        await target.call("XADD", stream, `${Date.now() - seconds * 1_000}-${i}`, "f", "v");
      const first = gate();
      const { opened: released, open: release } = gate();
      const handler = () => {
        first.open();
        return released;
      };
      const subscription = await signals.subscribe([m, `${m}-b`], { from: "start", handler });
      await first.opened;
      expect(await recorded.shown(METRICS.roomsFollowed)).to.equal(2);
      expect(await recorded.shown(METRICS.lagEntries)).to.equal(2);
      expect(await recorded.shown(METRICS.lagSeconds)).to.be.within(49, 60);
      expect(await recorded.shown(METRICS.signalsPending)).to.equal(0);
      release();
      await recorded.until(() => recorded.total(METRICS.signalsReceived) === 3);
      expect(await recorded.shown(METRICS.lagEntries)).to.equal(0);
      expect(await recorded.shown(METRICS.lagSeconds)).to.equal(0);
      await subscription.close();
      expect(await recorded.shown(METRICS.roomsFollowed)).to.equal(0);
    });

    it("shows what a consumer has not acknowledged, and counts what it gives up", async () => {
      const { signals } = await open();
      for (let i = 0; i < 3; i += 1) await target.call("XADD", stream, `${Date.now() - 30_000}-${i}`, "f", "v");
      const { opened: released, open: release } = gate();
      const consumed = new Consumed(async (_, { deliveries }) => {
        await released;
        if (deliveries === 1 && consumed.calls.length === 1) throw new Error("not this one");
      });
      const { handler } = consumed;
      const work = await signals.consume({ group: "g", consumer: "c", meetingIds: m, handler, maxDeliveries: 1 });
      await consumed.until(1);
      expect(await recorded.shown(METRICS.signalsPending)).to.equal(3);
      expect(await recorded.shown(METRICS.lagEntries)).to.equal(3);
      expect(await recorded.shown(METRICS.lagSeconds)).to.be.within(30, 45);
      release();
      await recorded.until(() => commands("XACK") === 2);
      expect(recorded.total(METRICS.deadLetters)).to.equal(1);
      expect(recorded.total(METRICS.signalsReceived, { type: "unrecognised" })).to.equal(3);
      expect(((await target.callAt(stream, "XPENDING", stream, "g")) as [number])[0]).to.equal(0);
      await work.close();
      expect(await recorded.shown(METRICS.signalsPending)).to.equal(0);
    });

    it("forgets what is pending once the group has told that nothing is", async () => {
      const { signals } = await open();
      const { opened: released, open: release } = gate();
      const consumed = new Consumed(async () => {
        if (consumed.calls.length > 1) return released;
        // Another consumer has taken the entry over and is done with it.
        await target.callAt(stream, "XACK", stream, "g", id);
        throw new Error("lost");
      });
      const { entryId: id } = await signals.publish(joined(m, "a"));
      const { handler } = consumed;
      await signals.consume({ group: "g", consumer: "c", meetingIds: m, handler });
      await consumed.until(1);
      await signals.publish(joined(m, "b"));
      await consumed.until(2);
      expect(await recorded.shown(METRICS.signalsPending)).to.equal(1);
      release();
    });

    it("takes its gauges off when the client closes", async () => {
      const { client } = await open();
      const readers = () => [...recorded.gauges.values()].reduce((sum, { size }) => sum + size, 0);
      expect(readers()).to.equal(7);
      await client.close(1_000);
      expect(readers()).to.equal(0);
    });
  });
}
