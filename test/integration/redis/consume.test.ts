import { expect } from "chai";
import { ClientNilError, InvalidInputError } from "../../../src/errors.js";
import type { ConsumeOptions } from "../../../src/redis/signals/groups/consumeInput.js";
import type { SignalConsumption } from "../../../src/redis/signals/groups/consumption.js";
import { Consumed, gate } from "./consumed.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

const FAST = { minIdleMs: 400, handlerTimeoutMs: 200 };

for (const mode of ["single", "cluster"] as const) {
  describe(`Consumer groups, ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let opened: Opened;
    let other: Opened | undefined;
    let meeting = 0;
    let m = "";
    let stream = "";
    const consumptions: SignalConsumption[] = [];

    before(async () => {
      target = await startRedisTarget(mode);
    });

    beforeEach(async () => {
      m = `meeting-${++meeting}`;
      stream = `room-stream:${m}`;
      opened = await open();
    });

    afterEach(async () => {
      await Promise.all(consumptions.splice(0).map((consumption) => consumption.close()));
      await Promise.all([opened?.client.close(0), other?.client.close(0)]);
      other = undefined;
    });

    after(() => target?.stop());

    const open = () => openClient(redisConfig(mode, target.addresses, { followSweepMs: 200 }));

    async function consume(consumed: Consumed, options: Partial<ConsumeOptions> = {}, by: Opened = opened) {
      const { handler } = consumed;
      const consumption = await by.signals.consume({ group: "g", consumer: "c1", meetingIds: m, handler, ...options });
      consumptions.push(consumption);
      return consumption;
    }

    async function publish(...requestIds: string[]): Promise<string[]> {
      const ids: string[] = [];
      for (const requestId of requestIds) ids.push((await opened.signals.publish(joined(m, requestId))).entryId);
      return ids;
    }

    /** Has the group give entries to a consumer that never acknowledges them. */
    const giveTo = (consumer: string, after = ">") =>
      target.callAt(stream, "XREADGROUP", "GROUP", "g", consumer, "STREAMS", stream, after);

    const pending = async () => ((await target.callAt(stream, "XPENDING", stream, "g")) as [number])[0];

    /** Resolves when the group has nothing pending; the servers tell it a moment after the handler. */
    async function untilAcknowledged(): Promise<void> {
      while ((await pending()) > 0) await new Promise((resolve) => setImmediate(resolve));
    }

    it("handles what is there and what comes, in order, and acknowledges it", async () => {
      await publish("1", "2");
      const consumed = new Consumed();
      await consume(consumed);
      await publish("3", "4");
      await consumed.until(4);
      expect(consumed.requestIds()).to.deep.equal(["1", "2", "3", "4"]);
      expect(consumed.deliveries).to.deep.equal([1, 1, 1, 1]);
      await untilAcknowledged();
    });

    it("begins where it is told to, and goes on where the group is", async () => {
      const [first = ""] = await publish("1", "2");
      const [now, after] = [new Consumed(), new Consumed()];
      await consume(now, { group: "now", from: "now" });
      await consume(after, { group: "after", from: { [m]: first } });
      await publish("3");
      await Promise.all([now.until(1), after.until(2)]);
      expect([now.requestIds(), after.requestIds()]).to.deep.equal([["3"], ["2", "3"]]);
      await Promise.all(consumptions.splice(0).map((consumption) => consumption.close()));
      await publish("4");
      const again = new Consumed();
      await consume(again, { group: "now", from: "start" });
      await again.until(1);
      expect(again.requestIds()).to.deep.equal(["4"]);
    });

    it("makes no stream where there is none, and misses nothing of the first", async () => {
      const consumed = new Consumed();
      await consume(consumed, { from: "now" });
      expect(await target.call("EXISTS", stream)).to.equal(0);
      await publish("1", "2");
      await consumed.until(2);
      expect(consumed.requestIds()).to.deep.equal(["1", "2"]);
    });

    it("gives each entry to one of two processes' consumers", async () => {
      other = await open();
      const [one, two] = [new Consumed(), new Consumed()];
      await Promise.all([consume(one), consume(two, { consumer: "c2" }, other)]);
      const requestIds = Array.from({ length: 200 }, (_, i) => `${i}`);
      await Promise.all(requestIds.map((requestId) => publish(requestId)));
      while (one.calls.length + two.calls.length < 200)
        await Promise.race([one.until(one.calls.length + 1), two.until(two.calls.length + 1)]);
      await untilAcknowledged();
      const handled = [...one.requestIds(), ...two.requestIds()];
      expect(handled.sort()).to.deep.equal(requestIds.sort());
    });

    it("gives an entry again when its handler fails, before those behind it", async () => {
      const consumed = new Consumed((_, { deliveries }) => {
        if (deliveries < 3 && consumed.requestIds().at(-1) === "2") throw new Error("not yet");
      });
      await consume(consumed);
      await publish("1", "2", "3");
      await consumed.until(5);
      expect(consumed.requestIds()).to.deep.equal(["1", "2", "2", "2", "3"]);
      expect(consumed.deliveries.slice(0, 4)).to.deep.equal([1, 1, 2, 3]);
      await untilAcknowledged();
    });

    it("keeps what fails too often as a dead letter, and goes on", async () => {
      const consumed = new Consumed((event) => {
        if (event.kind === "unrecognised") throw new Error(`no\nsignal ${"x".repeat(1_000)}`);
      });
      await consume(consumed, { maxDeliveries: 2 });
      const id = await opened.redis.pushToStream(stream, { odd: "field", deadReason: "mine" });
      await publish("2");
      await consumed.until(3);
      expect(consumed.requestIds()).to.deep.equal(["unrecognised", "unrecognised", "2"]);
      await untilAcknowledged();
      const [letter, ...others] = await opened.signals.deadLetters(m, "g");
      expect(others).to.deep.equal([]);
      expect(letter).to.deep.include({ deliveries: 2, consumer: "c1" });
      expect(letter?.reason)
        .to.match(/^Error: no signal x+$/)
        .and.have.length(500);
      expect(letter?.event).to.deep.include({ kind: "unrecognised", entryId: id, meetingId: m });
      expect(letter?.event).to.deep.include({ reason: "messageType is not signalMessage" });
      expect(letter?.event).to.have.property("fields").that.deep.equals({ odd: "field" });
      const key = `{${stream}}:dead:g`;
      expect(Number(await target.call("PTTL", key))).to.be.within(1, 3_600_000);
    });

    it("has what its consumer left unfinished first, when it is back", async () => {
      await publish("1", "2");
      await target.callAt(stream, "XGROUP", "CREATE", stream, "g", "0");
      await giveTo("c1");
      await publish("3");
      const consumed = new Consumed();
      await consume(consumed);
      await consumed.until(3);
      expect(consumed.requestIds()).to.deep.equal(["1", "2", "3"]);
      expect(consumed.deliveries).to.deep.equal([2, 2, 1]);
      await untilAcknowledged();
    });

    it("takes over what a consumer that died has left", async () => {
      const requestIds = Array.from({ length: 25 }, (_, i) => `${i}`);
      await publish(...requestIds);
      await target.callAt(stream, "XGROUP", "CREATE", stream, "g", "0");
      await giveTo("dead");
      const consumed = new Consumed();
      await consume(consumed, FAST);
      await consumed.until(25);
      expect(consumed.requestIds()).to.deep.equal(requestIds);
      expect(new Set(consumed.deliveries)).to.deep.equal(new Set([2]));
      await untilAcknowledged();
    });

    it("buries unseen what was given too often to processes that ended", async () => {
      await publish("poison", "2");
      await target.callAt(stream, "XGROUP", "CREATE", stream, "g", "0");
      await giveTo("c1");
      await giveTo("c1", "0");
      const consumed = new Consumed();
      await consume(consumed, { maxDeliveries: 2 });
      await publish("3");
      await consumed.until(1);
      expect(consumed.requestIds()).to.deep.equal(["3"]);
      const letters = await opened.signals.deadLetters(m, "g");
      expect(
        letters.map(({ event, deliveries }) => [event.kind === "signal" && event.requestId, deliveries]),
      ).to.deep.equal([
        ["poison", 3],
        ["2", 3],
      ]);
      expect(letters[0]?.reason).to.match(/no handler has finished/);
    });

    it("acknowledges away what was deleted before it was handled", async () => {
      const ids = await publish("1", "2", "3", "4");
      await target.callAt(stream, "XGROUP", "CREATE", stream, "g", "0");
      await giveTo("c1");
      await giveTo("dead", ">");
      await target.callAt(stream, "XDEL", stream, ids[0] as string, ids[2] as string);
      const consumed = new Consumed();
      await consume(consumed, FAST);
      await consumed.until(2);
      expect(consumed.requestIds()).to.deep.equal(["2", "4"]);
      await untilAcknowledged();
    });

    it("creates its group again where it was, when an operator has removed it", async () => {
      const consumed = new Consumed();
      await consume(consumed, { minIdleMs: 400, from: "now" });
      await publish("1");
      await consumed.until(1);
      await untilAcknowledged();
      await target.callAt(stream, "XGROUP", "DESTROY", stream, "g");
      await publish("2", "3");
      while (!consumed.requestIds().includes("3")) await consumed.until(consumed.calls.length + 1);
      expect(consumed.requestIds().filter((requestId) => requestId !== "1")).to.deep.equal(["2", "3"]);
    });

    it("goes on with a stream that begins anew after all data was lost", async () => {
      const consumed = new Consumed();
      await consume(consumed);
      await publish("1");
      await consumed.until(1);
      await target.callAll("FLUSHALL").catch(() => target.callAt(stream, "FLUSHALL"));
      await publish("2", "3");
      await consumed.until(3);
      expect(consumed.requestIds()).to.deep.equal(["1", "2", "3"]);
      await untilAcknowledged();
    });

    it("counts a handler that does not end as failed, and tells it", async () => {
      const consumed = new Consumed((_, { deliveries }) =>
        deliveries === 1 ? new Promise(() => undefined) : undefined,
      );
      await consume(consumed, FAST);
      await publish("1");
      await consumed.until(2);
      expect(consumed.deliveries).to.deep.equal([1, 2]);
      expect(consumed.calls[0]?.delivery.signal.aborted).to.equal(true);
      await untilAcknowledged();
    });

    it("handles nothing that may have become another's while it waited", async () => {
      other = await open();
      const times = { minIdleMs: 1_200, handlerTimeoutMs: 600 };
      const slow = new Consumed(() => new Promise((resolve) => setTimeout(resolve, 350)));
      const requestIds = Array.from({ length: 12 }, (_, i) => `${i}`);
      await publish(...requestIds);
      const fast = new Consumed();
      await consume(slow, times);
      await slow.until(1);
      await consume(fast, { ...times, consumer: "c2" }, other);
      while (slow.calls.length + fast.calls.length < 12)
        await Promise.race([slow.until(slow.calls.length + 1), fast.until(fast.calls.length + 1)]);
      await untilAcknowledged();
      expect([...slow.requestIds(), ...fast.requestIds()].sort()).to.deep.equal(requestIds.sort());
      expect(fast.requestIds().length, "taken over").to.be.above(2);
    });

    it("gives up nothing that no handler has had, however long it waited behind others", async () => {
      const consumed = new Consumed(() => new Promise((resolve) => setTimeout(resolve, 200)));
      const requestIds = Array.from({ length: 7 }, (_, i) => `${i}`);
      await publish(...requestIds);
      await consume(consumed, { minIdleMs: 2_000, handlerTimeoutMs: 1_000, maxDeliveries: 1 });
      await consumed.until(7);
      expect(consumed.requestIds()).to.deep.equal(requestIds);
      expect(new Set(consumed.deliveries)).to.deep.equal(new Set([1]));
      await untilAcknowledged();
      expect(await opened.signals.deadLetters(m, "g")).to.deep.equal([]);
    });

    it("gives what is behind an entry that fails for the first time when its turn comes", async () => {
      const consumed = new Consumed((_, { deliveries }) => {
        if (consumed.requestIds().at(-1) === "1" && deliveries < 3) throw new Error("not yet");
      });
      await publish("1", "2", "3");
      await consume(consumed);
      await consumed.until(5);
      expect(consumed.requestIds()).to.deep.equal(["1", "1", "1", "2", "3"]);
      expect(consumed.deliveries).to.deep.equal([1, 2, 3, 1, 1]);
      await untilAcknowledged();
    });

    it("works several meetings side by side, up to its bound", async () => {
      const { opened: released, open: release } = gate();
      let running = 0;
      let most = 0;
      const consumed = new Consumed(async () => {
        most = Math.max(most, ++running);
        await released;
        running -= 1;
      });
      const meetingIds = Array.from({ length: 12 }, (_, i) => `${m}-${i}`);
      for (const meetingId of meetingIds)
        for (const requestId of ["1", "2"]) await opened.signals.publish(joined(meetingId, requestId));
      await consume(consumed, { meetingIds, concurrency: 3 });
      await consumed.until(3);
      release();
      await consumed.until(24);
      expect(most).to.equal(3);
      for (const meetingId of meetingIds) expect(consumed.requestIds(meetingId)).to.deep.equal(["1", "2"]);
    });

    it("waits on close for the handler that runs, and leaves the rest to others at once", async () => {
      other = await open();
      const { opened: released, open: release } = gate();
      const [one, two] = [new Consumed(() => released), new Consumed()];
      await publish("1", "2", "3");
      const consumption = await consume(one, { minIdleMs: 30_000 });
      await one.until(1);
      const closed = consumption.close();
      release();
      await closed;
      expect(one.requestIds()).to.deep.equal(["1"]);
      expect(await pending()).to.equal(2);
      await consume(two, { consumer: "c2", minIdleMs: 30_000, maxDeliveries: 1 }, other);
      await two.until(2);
      expect(two.requestIds()).to.deep.equal(["2", "3"]);
      expect(two.deliveries, "no handler had them before").to.deep.equal([1, 1]);
    });

    it("closes within its bound when a handler does not end", async () => {
      const consumed = new Consumed(() => new Promise(() => undefined));
      const consumption = await consume(consumed, { closeTimeoutMs: 50 });
      await publish("1");
      await consumed.until(1);
      await consumption.close();
      expect(consumed.calls[0]?.delivery.signal.aborted).to.equal(true);
      expect(await pending()).to.equal(1);
      expect((await rejection(consumption.add("more"))).constructor).to.equal(ClientNilError);
    });

    it("adds and removes meetings while it runs", async () => {
      const consumed = new Consumed();
      const consumption = await consume(consumed);
      await consumption.add([m, `${m}-b`]);
      expect(consumption.meetingIds).to.deep.equal([m, `${m}-b`]);
      await opened.signals.publish(joined(`${m}-b`, "b1"));
      await consumed.until(1);
      consumption.remove(`${m}-b`);
      await opened.signals.publish(joined(`${m}-b`, "b2"));
      await publish("1");
      await consumed.until(2);
      expect(consumed.requestIds()).to.deep.equal(["b1", "1"]);
    });

    it("does not handle an entry again that its handler has in hand when the meeting is added again", async () => {
      const { opened: released, open: release } = gate();
      const consumed = new Consumed(() => released);
      const consumption = await consume(consumed);
      await publish("1", "2");
      await consumed.until(1);
      consumption.remove(m);
      const added = consumption.add(m);
      const other = consumption.add(`${m}-b`);
      await other;
      expect(consumed.requestIds()).to.deep.equal(["1"]);
      release();
      await added;
      await consumed.until(2);
      expect(consumed.requestIds()).to.deep.equal(["1", "2"]);
      await untilAcknowledged();
    });

    it("ends with its signal", async () => {
      const controller = new AbortController();
      const consumed = new Consumed();
      const consumption = await consume(consumed, { signal: controller.signal });
      controller.abort();
      expect(consumption.meetingIds).to.deep.equal([]);
    });

    it("refuses what is out of bounds, and leaves nothing open", async () => {
      const bad: [string, object][] = [
        ["options.group", { group: "" }],
        ["options.consumer", { consumer: 7 }],
        ["options.handler", { handler: "h" }],
        ["options.concurrency", { concurrency: 0 }],
        ["options.minIdleMs", { minIdleMs: 99 }],
        ["options.handlerTimeoutMs", { minIdleMs: 1_000, handlerTimeoutMs: 501 }],
        ["options.maxDeliveries", { maxDeliveries: 1.5 }],
        ["options.closeTimeoutMs", { closeTimeoutMs: -1 }],
        ["options.timeoutMs", { timeoutMs: 0 }],
        ["meetingId", { meetingIds: "a{b" }],
        ["from", { from: "yesterday" }],
      ];
      for (const [argument, options] of bad) {
        const error = await rejection(consume(new Consumed(), options));
        expect(error, argument).to.be.instanceOf(InvalidInputError);
        expect(error.argument).to.equal(argument);
      }
    });
  });
}
