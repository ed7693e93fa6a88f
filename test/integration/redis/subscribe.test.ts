import { expect } from "chai";
import type { SubscriptionEvent } from "../../../src/redis/signals/events.js";
import type { SignalIterator, SignalSubscription } from "../../../src/redis/signals/subscription.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

/** The next `count` events. */
async function take(iterator: SignalIterator, count: number): Promise<SubscriptionEvent[]> {
  const events: SubscriptionEvent[] = [];
  while (events.length < count) {
    const { value, done } = await iterator.next();
    if (done) throw new Error(`Only ${events.length} of ${count} events came`);
    events.push(value);
  }
  return events;
}

const requestIds = (events: readonly SubscriptionEvent[]) =>
  events.map((event) => (event.kind === "signal" ? event.requestId : event.kind));

for (const mode of ["single", "cluster"] as const) {
  describe(`Subscriptions, ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let opened: Opened;
    let meeting = 0;
    let m = "";

    before(async () => {
      target = await startRedisTarget(mode);
    });

    beforeEach(async () => {
      m = `meeting-${++meeting}`;
      opened = await openClient(redisConfig(mode, target.addresses));
    });

    afterEach(() => opened?.client.close(0));

    after(() => target?.stop());

    const publish = async (meetingId: string, ...ids: string[]) => {
      const entryIds: string[] = [];
      for (const id of ids) entryIds.push((await opened.signals.publish(joined(meetingId, id))).entryId);
      return entryIds;
    };
    const stream = (meetingId = m) => `room-stream:${meetingId}`;

    it("delivers what is published from now on, in order, with its entry id", async () => {
      await publish(m, "before");
      const subscription = await opened.signals.subscribe([m, `${m}b`]);
      const [first] = await publish(m, "r1", "r2", "r3");
      const events = await take(subscription, 3);
      expect(events[0]).to.deep.equal({
        ...joined(m, "r1"),
        kind: "signal",
        entryId: first,
        receiverIds: null,
      });
      await publish(`${m}b`, "r4");
      expect(requestIds([...events, ...(await take(subscription, 1))])).to.deep.equal(["r1", "r2", "r3", "r4"]);
    });

    it("begins at the start, after an entry, or now, as told for each meeting", async () => {
      const [a, b, c] = [`${m}a`, `${m}b`, `${m}c`];
      const ids = new Map<string, string[]>();
      for (const each of [a, b, c]) ids.set(each, await publish(each, `${each}1`, `${each}2`, `${each}3`));
      const from = { [a]: "start", [b]: ids.get(b)?.[1] ?? "" };
      const subscription = await opened.signals.subscribe([a, b, c], { from });
      await publish(c, `${c}4`);
      const got = requestIds(await take(subscription, 5));
      expect(got.filter((id) => id?.startsWith(a))).to.deep.equal([`${a}1`, `${a}2`, `${a}3`]);
      expect(got.filter((id) => !id?.startsWith(a))).to.have.members([`${b}3`, `${c}4`]);
    });

    it("takes an entry id however it is written", async () => {
      const [first = ""] = await publish(m, "r1", "r2");
      const subscription = await opened.signals.subscribe(m, { from: `000${first.replace("-", "-00")}` });
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["r2"]);
    });

    it("is refused where the stream cannot be read, wherever it is to begin", async () => {
      await target.call("SET", stream(), "no stream");
      for (const from of ["now", "start", "1-0"])
        expect(await rejection(opened.signals.subscribe(m, { from })), from).to.include({ code: "ErrRedisCommand" });
    });

    it("calls no handler before the subscription is at hand", async () => {
      await publish(m, "r1");
      let closed!: () => void;
      const done = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const subscription: SignalSubscription = await opened.signals.subscribe(m, {
        from: "start",
        handler: (): Promise<void> => subscription.close().then(closed),
      });
      await done;
      expect(opened.logger.lines.filter(({ level }) => level === "error")).to.deep.equal([]);
    });

    it("adds and removes meetings while it runs", async () => {
      const subscription = await opened.signals.subscribe([]);
      await publish(`${m}a`, "early");
      await subscription.add(`${m}a`, "start");
      await subscription.add([`${m}a`, `${m}b`]);
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["early"]);
      subscription.remove(`${m}a`);
      expect(subscription.meetingIds).to.deep.equal([`${m}b`]);
      await publish(`${m}a`, "not this");
      await publish(`${m}b`, "this");
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["this"]);
      await subscription.add(`${m}a`);
      await publish(`${m}a`, "again");
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["again"]);
    });

    it("delivers what is no signal of the meeting as unrecognised, with its fields", async () => {
      const subscription = await opened.signals.subscribe(m);
      const entryId = await target.call("XADD", stream(), "*", "name", "Other", "__proto__", "x", "signal", "{");
      await opened.redis.pushToStream(stream(), { ...(await foreign(`${m}-other`)) });
      const [broken, other] = await take(subscription, 2);
      expect(broken).to.deep.include({ kind: "unrecognised", entryId, meetingId: m });
      if (broken?.kind !== "unrecognised") throw new Error("unreachable");
      expect(Object.entries(broken.fields)).to.deep.equal([
        ["name", "Other"],
        ["__proto__", "x"],
        ["signal", "{"],
      ]);
      expect(other).to.include({ kind: "unrecognised", meetingId: m });
    });

    /** The fields of another meeting's signal. */
    async function foreign(meetingId: string): Promise<Record<string, string>> {
      await publish(meetingId, "foreign");
      const [entry] = await opened.redis.readStream(stream(meetingId));
      return { ...entry?.fields };
    }

    it("keeps to everyone's signals and those to one receiver", async () => {
      const subscription = await opened.signals.subscribe(m, { recipientId: "p2" });
      await opened.signals.publish({ ...joined(m, "to p1"), receiverIds: ["p1"] });
      await opened.signals.publish({ ...joined(m, "to p2"), receiverIds: ["p1", "p2"] });
      await publish(m, "to all");
      expect(requestIds(await take(subscription, 2))).to.deep.equal(["to p2", "to all"]);
    });

    it("drops repeats within the window, and only within it", async () => {
      const subscription = await opened.signals.subscribe(m, { dedupe: true, dedupeWindow: 2 });
      const other = await opened.signals.subscribe(m);
      await publish(m, "a", "a", "b", "a", "c", "a");
      expect(requestIds(await take(subscription, 4))).to.deep.equal(["a", "b", "c", "a"]);
      expect(requestIds(await take(other, 6))).to.deep.equal(["a", "a", "b", "a", "c", "a"]);
    });

    it("holds up only the meeting whose handler is slow, and holds few of its events", async () => {
      const got: string[] = [];
      let goOn!: () => void;
      const gate = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let all!: () => void;
      const done = new Promise<void>((resolve) => {
        all = resolve;
      });
      let fast!: () => void;
      const fastDone = new Promise<void>((resolve) => {
        fast = resolve;
      });
      await opened.signals.subscribe([m, `${m}b`], {
        bufferSize: 5,
        handler: async (event) => {
          if (event.meetingId === m) await gate;
          got.push(`${event.meetingId} ${requestIds([event])}`);
          if (event.kind === "signal" && event.requestId === "fast") fast();
          if (got.length === 31) all();
        },
      });
      const slow = Array.from({ length: 30 }, (_, i) => `slow${i}`);
      await publish(m, ...slow);
      await publish(`${m}b`, "fast");
      await fastDone;
      expect(got).to.deep.equal([`${m}b fast`]);
      goOn();
      await done;
      expect(got.slice(1)).to.deep.equal(slow.map((id) => `${m} ${id}`));
    });

    it("logs a handler's failure and goes on with the next event", async () => {
      let last!: () => void;
      const done = new Promise<void>((resolve) => {
        last = resolve;
      });
      await opened.signals.subscribe(m, {
        handler: (event) => {
          if (event.kind === "signal" && event.requestId === "bad") throw new Error("a handler's own trouble");
          last();
        },
      });
      await publish(m, "bad", "good");
      await done;
      expect(opened.logger.lines.filter(({ level }) => level === "error").map(({ message }) => message)).to.deep.equal([
        "A signal handler failed: a handler's own trouble",
      ]);
    });

    it("tells that the stream was trimmed past the cursor, and goes on with what is left", async () => {
      const [first, , third] = await publish(m, "1", "2", "3");
      await target.call("XTRIM", stream(), "MINID", String(third));
      const subscription = await opened.signals.subscribe(m, { from: String(first) });
      const [resync, next] = await take(subscription, 2);
      expect(resync).to.deep.equal({ kind: "resync", meetingId: m, reason: "trimmed", cursor: first });
      expect(requestIds([next as SubscriptionEvent])).to.deep.equal(["3"]);
    });

    it("does not call it a gap when only what was read is trimmed or deleted", async () => {
      const subscription = await opened.signals.subscribe(m);
      await publish(m, "1", "2");
      const [, second] = await take(subscription, 2);
      await target.call("XDEL", stream(), (second as { entryId: string }).entryId);
      await publish(m, "3");
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["3"]);
      await target.call("XTRIM", stream(), "MAXLEN", 1);
      await publish(m, "4");
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["4"]);
    });

    it("tells that the stream is gone, and delivers all of the one that follows, even with lower ids", async () => {
      await publish(m, "1");
      const subscription = await opened.signals.subscribe(m, { from: "start" });
      expect(requestIds(await take(subscription, 1))).to.deep.equal(["1"]);
      const fields = Object.entries((await opened.redis.readStream(stream()))[0]?.fields ?? {}).flat();
      await target.call("DEL", stream());
      await target.call("XADD", stream(), "1-1", ...fields);
      await target.call("XADD", stream(), "1-2", ...fields);
      const events = await take(subscription, 3);
      expect(events[0]).to.deep.equal({ kind: "resync", meetingId: m, reason: "lost", cursor: "0-0" });
      expect(events.slice(1).map((event) => event.kind === "signal" && event.entryId)).to.deep.equal(["1-1", "1-2"]);
    });

    it("tells of a stream that is gone when it resumes from an entry of it", async () => {
      const [last] = await publish(m, "1");
      await target.call("DEL", stream());
      const subscription = await opened.signals.subscribe(m, { from: String(last) });
      expect(await take(subscription, 1)).to.deep.equal([
        { kind: "resync", meetingId: m, reason: "lost", cursor: "0-0" },
      ]);
    });

    it("takes two connections a node however many meetings and subscriptions there are, and leaves none", async () => {
      const count = async () => {
        const lists = await target.callAll("CLIENT", "LIST");
        return lists.map((list) => String(list).match(/ name=doordarshan-test /g)?.length ?? 0);
      };
      const before = await count();
      const many = Array.from({ length: 300 }, (_, i) => `${m}-${i}`);
      const subscriptions = [await opened.signals.subscribe(many), await opened.signals.subscribe(many)];
      const during = await count();
      expect(Math.max(...during.map((connections, i) => connections - (before[i] ?? 0)))).to.equal(2);
      for (const subscription of subscriptions) await subscription.close();
      let after = await count();
      while (after.some((connections, i) => connections > (before[i] ?? 0))) after = await count();
      expect(after).to.deep.equal(before);
    });

    it("reads once for all subscribers that are equally far", async () => {
      const reads = async () => {
        const infos = await target.callAll("INFO", "commandstats");
        return infos.reduce<number>((sum, info) => sum + Number(/xrange:calls=(\d+)/.exec(String(info))?.[1] ?? 0), 0);
      };
      const subscriptions: SignalIterator[] = [];
      for (let i = 0; i < 50; i += 1) subscriptions.push(await opened.signals.subscribe(m));
      const before = await reads();
      for (let i = 0; i < 10; i += 1) {
        await publish(m, `r${i}`);
        for (const subscription of subscriptions)
          expect(requestIds(await take(subscription, 1))).to.deep.equal([`r${i}`]);
      }
      // One for each signal, and those of the sweeps in between; apart they would be 500.
      expect((await reads()) - before).to.be.within(10, 100);
    });

    it("keeps the notifications that are on already", async () => {
      await target.callAll("CONFIG", "SET", "notify-keyspace-events", "Ex");
      const subscription = await opened.signals.subscribe(m);
      await publish(m, "r");
      await take(subscription, 1);
      const replies = await target.callAll("CONFIG", "GET", "notify-keyspace-events");
      const flags = replies.map((reply) => [...String((reply as string[])[1])].sort().join(""));
      expect(flags).to.include("EKtx");
    });

    it("ends with its signal, with close and with the client", async () => {
      const stop = new AbortController();
      const subscriptions = [
        await opened.signals.subscribe(m, { signal: stop.signal }),
        await opened.signals.subscribe(m),
        await opened.signals.subscribe(m),
      ];
      const ends = subscriptions.map((subscription) => subscription.next());
      stop.abort();
      await subscriptions[1]?.close();
      await subscriptions[1]?.close();
      await opened.client.stopReading();
      for (const end of ends) expect(await end).to.deep.equal({ done: true, value: undefined });
      expect(await rejection(opened.signals.subscribe(m))).to.include({ code: "ErrClientNil" });
      expect(await rejection(subscriptions[1]?.add(m) as Promise<void>)).to.include({ code: "ErrClientNil" });
      const aborted = AbortSignal.abort();
      expect(await rejection(opened.signals.subscribe(m, { signal: aborted }))).to.include({ code: "ErrAborted" });
    });

    it("closes when the loop over it is left", async () => {
      await publish(m, "1", "2");
      const subscription = await opened.signals.subscribe(m, { from: "start" });
      for await (const event of subscription) {
        expect(requestIds([event])).to.deep.equal(["1"]);
        break;
      }
      expect(subscription.meetingIds).to.deep.equal([]);
      expect(await subscription.next()).to.deep.equal({ done: true, value: undefined });
    });

    it("refuses what it cannot follow before anything is sent", async () => {
      const refused: [unknown, object][] = [
        [[""], {}],
        [["a{b}"], {}],
        [[7], {}],
        [m, { from: "$" }],
        [m, { from: "12" }],
        [m, { from: ["start"] }],
        [m, { from: "18446744073709551616-0" }],
        [m, { from: { [m]: "yesterday" } }],
        [m, { recipientId: 7 }],
        [m, { bufferSize: 0 }],
        [m, { dedupeWindow: 1.5 }],
        [m, { timeoutMs: 0 }],
        [m, { handler: "no" }],
      ];
      for (const [meetingIds, options] of refused)
        expect(await rejection(opened.signals.subscribe(meetingIds as string, options))).to.include({
          code: "ErrInvalidInput",
        });
    });
  });
}
