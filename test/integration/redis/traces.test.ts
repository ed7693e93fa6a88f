import { expect } from "chai";
import { RecordedTelemetry, traceparentOf } from "../../support/recordedTelemetry.js";
import { Consumed } from "./consumed.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

const INTERNAL = { kind: "internal", attributes: {} } as const;
const FIELDS = ["name", "signal", "roomId", "participantId", "messageType", "requestId"];

for (const mode of ["single", "cluster"] as const) {
  describe(`Traces through Redis, ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let opened: Opened;
    let plain: Opened;
    let recorded: RecordedTelemetry;
    let meeting = 0;
    let m = "";
    let stream = "";

    before(async () => {
      target = await startRedisTarget(mode);
      plain = await openClient(redisConfig(mode, target.addresses));
    });

    beforeEach(async () => {
      m = `meeting-${++meeting}`;
      stream = `room-stream:${m}`;
      recorded = new RecordedTelemetry();
      const config = redisConfig(mode, target.addresses, { followSweepMs: 200 });
      opened = await openClient(config, 10_000, { instruments: recorded.instruments() });
    });

    afterEach(() => opened?.client.close(0));

    after(async () => {
      await plain?.client.close(0);
      await target?.stop();
    });

    /** The stream as another program sees it: of each entry its fields and values in turn. */
    async function entries(): Promise<string[][]> {
      const found = (await target.call("XRANGE", stream, "-", "+")) as [id: string, pairs: string[]][];
      return found.map(([, pairs]) => pairs);
    }

    const names = (pairs: readonly string[]) => pairs.filter((_, i) => i % 2 === 0);

    it("lead from the request to the publisher, and by a link to each handler", async () => {
      const { signals } = opened;
      const { tracer } = recorded;
      const subscribed = new Consumed();
      const consumed = new Consumed(() => signals.publish({ ...joined(`${m}-b`, "reply") }));
      await tracer.span("boot", INTERNAL, () =>
        signals.subscribe(m, { handler: (event) => subscribed.handler(event as never, {} as never) }),
      );
      await signals.consume({ group: "g", consumer: "c", meetingIds: m, handler: consumed.handler });
      await tracer.span("request", INTERNAL, () => signals.publish(joined(m, "a")));
      await recorded.until(() => recorded.spansNamed("signals.handle").length === 2);
      const [request] = recorded.spansNamed("request");
      const [reply, publish] = recorded
        .spansNamed("signals.publish")
        .sort((a, b) => Number(a.traceId === request?.traceId) - Number(b.traceId === request?.traceId));
      expect(publish).to.include({ kind: "producer", parentId: request?.spanId, traceId: request?.traceId });
      const link = traceparentOf(publish as never);
      for (const handle of recorded.spansNamed("signals.handle"))
        expect(handle).to.include({ kind: "consumer", linkedTo: link, parentId: undefined });
      expect(subscribed.calls[0]?.event).to.include({ kind: "signal", requestId: "a", traceparent: link });
      const handled = recorded
        .spansNamed("signals.handle")
        .find(({ attributes }) => attributes["messaging.consumer.group.name"] === "g");
      expect(reply?.parentId).to.equal(handled?.spanId);
      expect(handled?.attributes).to.include({
        "doordarshan.meeting.id": m,
        "doordarshan.signal.type": "DoordarshanUserJoined",
      });
    });

    it("stand in one more field, behind those that other readers know", async () => {
      const { signals } = opened;
      await plain.signals.publish(joined(m, "a"));
      await signals.publish(joined(m, "a"));
      await signals.publish(joined(m, "b"), { idempotent: true });
      await signals.publishMany([joined(m, "c")]);
      const [untraced = [], ...others] = await entries();
      expect(names(untraced)).to.deep.equal(FIELDS);
      expect(others).to.have.length(3);
      for (const pairs of others) expect(names(pairs)).to.deep.equal([...FIELDS, "traceparent"]);
      expect(others[0]?.slice(0, 12)).to.deep.equal(untraced);
      const spans = ["signals.publish", "signals.publishMany"].flatMap((name) => recorded.spansNamed(name));
      expect(others.map((pairs) => pairs[13])).to.deep.equal(spans.map(traceparentOf));
      const read = (await signals.read(m)).map((entry) => entry.kind === "signal" && entry.traceparent);
      expect(read).to.deep.equal([undefined, ...spans.map(traceparentOf)]);
    });

    it("leave entries as they are while nothing is recorded", async () => {
      recorded.sampled = false;
      await opened.signals.publish(joined(m, "a"));
      await opened.signals.publish(joined(m, "b"), { idempotent: true });
      expect((await entries()).map(names)).to.deep.equal([FIELDS, FIELDS]);
      expect((await opened.signals.read(m))[0]).not.to.have.property("traceparent");
    });

    it("pass over what is no trace context", async () => {
      await plain.signals.publish(joined(m, "a"));
      const [pairs = []] = await entries();
      const zeros = `00-${"0".repeat(32)}-${"1".repeat(16)}-01`;
      for (const broken of ["", "x".repeat(100_000), zeros, "00-\n"])
        await target.call("XADD", stream, "*", ...pairs, "traceparent", broken);
      const subscription = await opened.signals.subscribe(m, { from: "start" });
      for (let i = 0; i < 5; i += 1) {
        const { value: event } = await subscription.next();
        expect(event).to.include({ kind: "signal", requestId: "a" });
        expect(event).not.to.have.property("traceparent");
      }
    });

    it("have a span for each operation, with where it went and what it failed with", async () => {
      const { signals, redis } = opened;
      await signals.publish(joined(m, "a"));
      await signals.read(m);
      await signals.lag(m);
      await signals.cursor(m);
      await signals.deadLetters(m, "g");
      await signals.close(m);
      await (await signals.subscribe(m)).close();
      await redis.pushToStream(stream, { f: "v" });
      await redis.readStream(stream);
      await redis.publish("channel", "message");
      const error = await rejection(signals.read("a{b}"));
      await rejection(signals.publish(undefined as never));
      const [{ host, port } = { host: "", port: 0 }] = target.addresses;
      const place = mode === "single" ? { "server.address": host, "server.port": port } : {};
      const [read] = recorded.spansNamed("signals.read");
      const meant = { "db.system.name": "redis", "db.operation.name": "XRANGE", "doordarshan.meeting.id": m };
      expect(read?.attributes).to.deep.equal({ ...meant, ...place });
      expect(recorded.spansNamed("signals.read")[1]?.error).to.equal(error);
      for (const name of ["lag", "cursor", "deadLetters", "close", "subscribe"])
        expect(recorded.spansNamed(`signals.${name}`)[0]?.attributes, name).to.include({ "doordarshan.meeting.id": m });
      for (const name of ["pushToStream", "readStream", "publish"])
        expect(recorded.spansNamed(`redis.${name}`)[0]?.attributes, name).to.include({ "db.system.name": "redis" });
    });

    it("end a failed handler's span as failed", async () => {
      const failing = new Consumed(() => {
        throw new TypeError("broken handler");
      });
      await opened.signals.consume({ group: "g", consumer: "c", meetingIds: m, handler: failing.handler });
      await opened.signals.subscribe(m, { handler: () => Promise.reject(new RangeError("too")) });
      await opened.signals.publish(joined(m, "a"));
      const errors = () => recorded.spansNamed("signals.handle").map(({ error }) => (error as Error).name);
      await recorded.until(() => new Set(errors()).size === 2);
      expect(errors()).to.include.members(["TypeError", "RangeError"]);
    });
  });
}
