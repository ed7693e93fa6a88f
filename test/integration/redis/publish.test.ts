import { getEventListeners } from "node:events";
import { expect } from "chai";
import type { Signal } from "../../../src/redis/signals/types.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

const idempotent = { idempotent: true };

for (const mode of ["single", "cluster"] as const) {
  describe(`Publishing signals, Redis ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let opened: Opened;

    before(async () => {
      target = await startRedisTarget(mode);
      opened = await openClient(redisConfig(mode, target.addresses));
    });

    after(async () => {
      await opened?.client.close(1_000);
      await target?.stop();
    });

    const stream = (meetingId: string) => `room-stream:${meetingId}`;
    const length = async (meetingId: string) => Number(await target.call("XLEN", stream(meetingId)));
    const ttl = async (key: string) => Number(await target.call("PTTL", key));
    const requestIds = async (meetingId: string) =>
      (await opened.signals.read(meetingId, { count: 1_000 })).map((entry) => "requestId" in entry && entry.requestId);
    /** How often the nodes have executed a command. */
    const executed = async (command: string) => {
      const counts = (await target.callAll("INFO", "commandstats")).map((info) =>
        Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(info))?.[1] ?? 0),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    };

    describe("many at once", () => {
      it("tells of each what became of it, in the order given, and stores all but the wrong ones", async () => {
        const wrong = { ...joined("many-0", "r"), meetingId: "{m}" } as Signal;
        const tooLarge = { ...joined("many-0", "r"), payload: { userJoinedReason: "x".repeat(262_144) } } as Signal;
        const good = Array.from({ length: 300 }, (_, i) => joined(`many-${i % 10}`, `many/${i}`));
        const signals = [...good.slice(0, 100), wrong, ...good.slice(100, 200), tooLarge, ...good.slice(200)];
        const outcomes = await opened.signals.publishMany(signals);
        expect(outcomes).to.have.length(302);
        for (const [i, outcome] of outcomes.entries()) {
          if (i === 100) expect(outcome).to.include({ status: "not-stored" }).and.not.to.have.property("requestId");
          else if (i === 201) expect(outcome).to.include({ status: "not-stored" });
          else expect(outcome).to.include({ status: "stored", requestId: signals[i]?.requestId });
        }
        const errors = outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.error.message] : []));
        expect(errors[0]).to.match(/^signal\.meetingId must not contain braces/);
        expect(errors[1]).to.match(/^signal must have at most 262144 bytes/);
        for (let room = 0; room < 10; room += 1) {
          const expected = good
            .filter(({ meetingId }) => meetingId === `many-${room}`)
            .map(({ requestId }) => requestId);
          expect(await requestIds(`many-${room}`)).to.deep.equal(expected);
        }
      });

      it("tells the entry ids that the streams have", async () => {
        const outcomes = await opened.signals.publishMany([joined("ids", "ids/1"), joined("ids", "ids/2")]);
        const read = await opened.signals.read("ids");
        expect(outcomes.map((outcome) => "entryId" in outcome && outcome.entryId)).to.deep.equal(
          read.map(({ id }) => id),
        );
      });

      it("goes on where more signals than places come, and with none at all", async () => {
        const { signals, client } = await openClient(
          redisConfig(mode, target.addresses, { maxInFlight: 7, maxWaiting: 0 }),
        );
        try {
          const outcomes = await signals.publishMany(Array.from({ length: 100 }, (_, i) => joined("few", `few/${i}`)));
          expect(new Set(outcomes.map(({ status }) => status))).to.deep.equal(new Set(["stored"]));
          expect(await length("few")).to.equal(100);
          expect(await signals.publishMany([])).to.deep.equal([]);
        } finally {
          await client.close(1_000);
        }
      });

      it("listens once to the caller's signal, and ends all with it", async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const many = Array.from({ length: 50 }, (_, i) => joined("listening", `listening/${i}`));
        const publishing = opened.signals.publishMany(many, { signal });
        expect(getEventListeners(signal, "abort")).to.have.length(1);
        expect(new Set((await publishing).map(({ status }) => status))).to.deep.equal(new Set(["stored"]));
        expect(getEventListeners(signal, "abort")).to.deep.equal([]);
        const ended = opened.signals.publishMany(many, { signal });
        controller.abort();
        for (const outcome of [...(await ended), ...(await opened.signals.publishMany(many, { signal }))])
          expect(outcome.status).to.be.oneOf(["not-stored", "unknown"]);
      });

      it("refuses what is no list of signals, and options that are wrong, before anything is sent", async () => {
        const one = joined("refused", "r");
        for (const bad of [undefined, null, one, "text", new Set([one]), new Array(10_001).fill(one)])
          expect((await rejection(opened.signals.publishMany(bad as Signal[]))).message).to.match(/^signals must be/);
        const options = [{ maxLength: 0 }, { ttlMs: 1.5 }, { timeoutMs: -1 }, { idempotent: 1 as never }];
        for (const option of options)
          expect(await rejection(opened.signals.publishMany([one], option))).to.include({ code: "ErrInvalidInput" });
        expect(await rejection(opened.signals.publish(one, { idempotent: "yes" as never }))).to.include({
          argument: "options.idempotent",
        });
        expect(await length("refused")).to.equal(0);
      });
    });

    describe("idempotently", () => {
      it("stores a request id once, whoever repeats it, and tells the first entry's id", async () => {
        const other = await openClient(redisConfig(mode, target.addresses));
        try {
          const first = await opened.signals.publish(joined("once", "once/1"), idempotent);
          const again = await other.signals.publish(joined("once", "once/1"), idempotent);
          expect(first).to.include({ duplicate: false, requestId: "once/1" });
          expect(again).to.deep.equal({ ...first, duplicate: true });
          expect(await opened.signals.publish(joined("once", "once/2"), idempotent)).to.include({ duplicate: false });
          expect(await requestIds("once")).to.deep.equal(["once/1", "once/2"]);
          expect(await opened.signals.publish(joined("once-more", "once/1"), idempotent)).to.include({
            duplicate: false,
          });
        } finally {
          await other.client.close(1_000);
        }
      });

      it("stores one of a hundred that come at the same time", async () => {
        const same = Array.from({ length: 100 }, () => joined("race", "race/1"));
        const outcomes = await opened.signals.publishMany(same, idempotent);
        const ids = new Set(outcomes.map((outcome) => "entryId" in outcome && outcome.entryId));
        expect(ids.size).to.equal(1);
        expect(outcomes.filter((outcome) => "duplicate" in outcome && !outcome.duplicate)).to.have.length(1);
        expect(await length("race")).to.equal(1);
      });

      it("goes on after the servers forgot the script", async () => {
        await opened.signals.publish(joined("forgotten", "forgotten/1"), idempotent);
        await target.callAll("SCRIPT", "FLUSH");
        await opened.signals.publish(joined("forgotten", "forgotten/2"), idempotent);
        const again = await opened.signals.publish(joined("forgotten", "forgotten/1"), idempotent);
        expect(again.duplicate).to.equal(true);
        expect(await requestIds("forgotten")).to.deep.equal(["forgotten/1", "forgotten/2"]);
      });

      it("remembers at least as many as the stream may hold, at most twice as many, and lets all expire", async () => {
        const options = { ...idempotent, maxLength: 20, ttlMs: 50_000 };
        for (let i = 0; i < 65; i += 1) await opened.signals.publish(joined("bounded", `bounded/${i}`), options);
        const keys = ["requests", "requests:earlier"].map((name) => `{${stream("bounded")}}:${name}`);
        for (const key of keys) expect(Number(await target.call("HLEN", key))).to.be.within(1, 20);
        for (const key of [stream("bounded"), ...keys]) expect(await ttl(key)).to.be.within(40_000, 50_000);
        for (let i = 45; i < 65; i += 1)
          expect((await opened.signals.publish(joined("bounded", `bounded/${i}`), options)).duplicate).to.equal(true);
      });

      it("begins anew once the meeting's stream is gone", async () => {
        await opened.signals.publish(joined("anew", "anew/1"), idempotent);
        await target.call("DEL", stream("anew"));
        expect(await opened.signals.publish(joined("anew", "anew/1"), idempotent)).to.include({ duplicate: false });
        expect(await length("anew")).to.equal(1);
      });
    });

    describe("a stream's expiry", () => {
      it("is set with the first push and not with each", async () => {
        await opened.signals.publish(joined("expiry", "r0"));
        // A reply behind it on the same connection: it has been set by then.
        await opened.signals.read("expiry");
        const before = await executed("pexpire");
        for (let i = 0; i < 50; i += 1) await opened.signals.publish(joined("expiry", `r${i}`));
        expect((await executed("pexpire")) - before).to.equal(0);
        expect(await ttl(stream("expiry"))).to.be.within(3_500_000, 3_600_000);
      });

      it("is there again after another program removed the stream", async () => {
        await opened.signals.publish(joined("removed", "r1"));
        await opened.signals.read("removed");
        await target.call("DEL", stream("removed"));
        const { entryId } = await opened.signals.publish(joined("removed", "r2"));
        const read = await opened.signals.read("removed");
        expect(read.map(({ id }) => id)).to.deep.equal([entryId]);
        expect(await ttl(stream("removed"))).to.be.within(3_500_000, 3_600_000);
      });
    });

    it("closes a meeting: stream and request ids are gone at once, and a second time too", async () => {
      await opened.signals.publish(joined("closed", "r1"), idempotent);
      const keys = [stream("closed"), `{${stream("closed")}}:requests`];
      for (const key of keys) expect(Number(await target.call("EXISTS", key))).to.equal(1);
      await opened.signals.close("closed");
      for (const key of keys) expect(Number(await target.call("EXISTS", key))).to.equal(0);
      await opened.signals.close("closed");
      expect(await rejection(opened.signals.close("{m}"))).to.include({ code: "ErrInvalidInput" });
      expect(await opened.signals.publish(joined("closed", "r1"), idempotent)).to.include({ duplicate: false });
    });

    it("keeps large signals waiting until there is room for them in memory, or refuses them", async () => {
      const limits = { maxQueuedBytes: 600_000, poolTimeoutMs: 5_000 };
      const { signals, client } = await openClient(redisConfig(mode, target.addresses, limits));
      try {
        const large = Array.from({ length: 12 }, (_, i) => ({
          ...joined("large", `large/${i}`),
          payload: { userJoinedReason: "x".repeat(100_000) },
        })) as Signal[];
        const settled = large.map((signal) =>
          signals.publish(signal).then(
            () => "stored",
            (error) => error.name,
          ),
        );
        // Each takes some 200,000 bytes: two are in flight, two may wait besides.
        expect(client.state()).to.deep.include({ inFlight: 2, waiting: 2 });
        const outcomes = await Promise.all(settled);
        expect(outcomes.slice(0, 4)).to.deep.equal(["stored", "stored", "stored", "stored"]);
        expect(new Set(outcomes.slice(4))).to.deep.equal(new Set(["BackpressureError"]));
        expect(await length("large")).to.equal(4);
      } finally {
        await client.close(1_000);
      }
    });
  });
}
