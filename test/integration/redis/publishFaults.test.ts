import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import type { PublishedSignal } from "../../../src/redis/signals/publisher.js";
import {
  type RedisCluster,
  type RedisNode,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { Condition } from "../../support/condition.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import type { Report } from "./fixtures/publishUnderLoad.js";
import { lateness, type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { joined } from "./signalLoad.js";
import { moveSlot, otherMaster } from "./slots.js";

const idempotent = { idempotent: true };

describe("Publishing signals to one server, under faults", function () {
  this.timeout(120_000);
  let server: RedisServer;
  let proxy: TcpProxy;
  const opened: Opened[] = [];
  const open = async (more: Parameters<typeof redisConfig>[2] = {}) => {
    const client = await openClient(redisConfig("single", [proxy], more));
    opened.push(client);
    return client;
  };

  beforeEach(async () => {
    server = await startRedisServer();
    proxy = await startProxy(server);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ client }) => client.close(0)));
    await proxy.stop();
    await server.stop();
  });

  it("stores an idempotent signal once whose reply is lost, 1,000 of 1,000", async () => {
    // From here on the server knows the script; else the first replies that are cut off would only say that it does not.
    const { signals } = await open();
    await signals.publish(joined("cut", "cut/0"), idempotent);
    const meetings = await Promise.all(Array.from({ length: 20 }, (_, i) => publishCut(`cut-${i}`, 50)));
    for (const { published, read } of meetings) {
      expect(published.map(({ requestId }) => requestId)).to.have.length(50);
      // The one that was cut off had been stored.
      expect(published.every(({ duplicate }) => duplicate)).to.equal(true);
      expect(read).to.deep.equal(published.map(({ requestId, entryId }) => ({ requestId, id: entryId })));
    }
  });

  /** Publishes one after the other, each of which loses its first reply, over a connection that nobody else uses. */
  async function publishCut(meetingId: string, count: number) {
    const own = await startProxy(server);
    const { client, signals } = await openClient(redisConfig("single", [own]));
    try {
      const published: PublishedSignal[] = [];
      for (let i = 0; i < count; i += 1) {
        const cut = own.cutAfterRequest((request) => request.includes(`${meetingId}/${i}`));
        published.push(await signals.publish(joined(meetingId, `${meetingId}/${i}`), idempotent));
        await cut;
      }
      const read = (await signals.read(meetingId, { count: 10_000 })).map((entry) => ({
        requestId: "requestId" in entry ? entry.requestId : "",
        id: entry.id,
      }));
      return { published, read };
    } finally {
      await client.close(0);
      await own.stop();
    }
  }

  it("gives up an idempotent signal at its deadline, as unknown if it was ever sent", async () => {
    const { signals } = await open({ writeTimeoutMs: 100, dialTimeoutMs: 100 });
    await signals.publish(joined("late", "late/0"), idempotent);
    await server.pause();
    const began = performance.now();
    const sent = rejection(signals.publish(joined("late", "late/1"), { ...idempotent, timeoutMs: 600 }));
    const late = await lateness(sent, 600);
    expect(performance.now() - began).to.be.at.least(590);
    expect(late).to.be.below(500);
    expect(await sent).to.include({ code: "ErrPublishUnknown" });
    expect(await rejection(signals.publish(joined("late", "late/2"), { ...idempotent, timeoutMs: 200 }))).to.include({
      code: "ErrNotStored",
    });
    await server.resume();
    await signals.publish(joined("late", "late/1"), idempotent);
    const read = await signals.read("late");
    expect(read.map((entry) => "requestId" in entry && entry.requestId)).to.deep.equal(["late/0", "late/1"]);
  });

  it("goes on with idempotent signals after a restart, which loses the script", async () => {
    const { signals } = await open();
    await signals.publish(joined("restart", "restart/1"), idempotent);
    await server.kill();
    const waiting = signals.publish(joined("restart", "restart/2"), idempotent);
    await server.restart();
    expect((await waiting).duplicate).to.equal(false);
    expect(await signals.publish(joined("restart", "restart/2"), idempotent)).to.include({ duplicate: true });
  });

  it("tells of many signals apart which are unknown and which were not stored", async () => {
    const { signals } = await open({ maxInFlight: 10 });
    const cut = proxy.cutAfterRequest((request) => request.includes("XADD"));
    const many = Array.from({ length: 20 }, (_, i) => joined("apart", `apart/${i}`));
    const outcomes = await signals.publishMany(many);
    await cut;
    const read = await signals.read("apart", { count: 100 });
    const stored = new Set(read.map((entry) => "requestId" in entry && entry.requestId));
    for (const [i, outcome] of outcomes.entries()) {
      expect(outcome).to.include({ requestId: `apart/${i}` });
      if (outcome.status === "stored") expect(stored.has(`apart/${i}`)).to.equal(true);
      if (outcome.status === "not-stored") expect(stored.has(`apart/${i}`)).to.equal(false);
    }
    expect(outcomes.slice(0, 10).map(({ status }) => status)).to.include("unknown");
    expect(new Set(outcomes.slice(10).map(({ status }) => status))).to.deep.equal(new Set(["stored"]));
  });

  for (const fault of ["killed", "frozen"] as const) {
    it(`bounds its memory at full load while the server is ${fault}, and tells every caller in time`, async () => {
      const child = fork(new URL("fixtures/publishUnderLoad.ts", import.meta.url), [String(server.port)], {
        execArgv: ["--import", "tsx", "--expose-gc"],
      });
      try {
        await message(child);
        await (fault === "killed" ? server.kill() : server.pause());
        child.send("measure");
        const report = (await message(child)) as Report;
        expect(report.grownBytes).to.be.below(64 * 2 ** 20);
        expect(report.answered, "all of them, several times").to.be.above(report.callers * 2);
        // Pool timeout and write timeout, of 1 s each; both timers and the caller's own turn may come late by a stall.
        expect(report.latestMs).to.be.below(2 * 1_000 + 3 * report.longestStallMs);
        expect(report.outcomes).to.include("BackpressureError");
        expect(report.outcomes).to.satisfy((names: string[]) =>
          names.every((name) => /^(BackpressureError|NotStoredError|PublishUnknownError)$/.test(name)),
        );
      } finally {
        if (fault === "frozen") await server.resume();
        child.kill("SIGKILL");
      }
    });
  }
});

async function message(child: ChildProcess): Promise<unknown> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`The publishing process ended with code ${code}`);
  });
  const [received] = await Promise.race([once(child, "message"), ended]);
  return received;
}

describe("Publishing signals to a cluster, under faults", function () {
  this.timeout(120_000);
  let cluster: RedisCluster;
  let opened: Opened;

  before(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 });
    opened = await openClient(redisConfig("cluster", cluster.nodes, { writeTimeoutMs: 1_000 }));
  });

  after(async () => {
    await opened?.client.close(0);
    await cluster?.stop();
  });

  for (const round of [1, 2]) {
    it(`keeps all that is acknowledged, and none twice, when a master is killed under load (round ${round})`, async () => {
      const rooms = Array.from({ length: 32 }, (_, i) => `kill-${round}-${i}`);
      const acknowledged = new Map<string, string>();
      const failed: Error[] = [];
      const counts = new Map(rooms.map((room) => [room, 0]));
      const condition = new Condition();
      let running = true;
      const write = async (room: string) => {
        for (let i = 0; running; i += 1) {
          const { requestId, entryId } = await opened.signals.publish(joined(room, `${room}/${i}`), idempotent);
          acknowledged.set(requestId, entryId);
          counts.set(room, i + 1);
          condition.changed();
        }
      };
      const writers = Promise.all(rooms.map((room) => write(room).catch((error: Error) => failed.push(error))));
      const progress = (more: number) => {
        const from = new Map(counts);
        const on = (room: string) => (counts.get(room) ?? 0) >= (from.get(room) ?? 0) + more;
        return condition.until(() => failed.length > 0 || rooms.every(on));
      };
      await progress(20);
      const killed = await cluster.masterOf(`room-stream:${rooms[0]}`);
      await killed.kill();
      await progress(20);
      running = false;
      await writers;
      expect(failed, "an idempotent publish is repeated until it is answered").to.deep.equal([]);
      for (const room of rooms) {
        const read = await readAll(room);
        const requestIds = read.map(([requestId]) => requestId);
        expect(requestIds, `${room}: none twice, in order`).to.deep.equal(
          Array.from({ length: counts.get(room) as number }, (_, i) => `${room}/${i}`),
        );
        for (const [requestId, id] of read) expect(acknowledged.get(requestId)).to.equal(id);
      }
      await killed.restart();
      await cluster.untilHealthy();
    });
  }

  /** Moves the slot of a meeting with idempotent signals; `publish` publishes one more. */
  async function movePublished(
    meetingId: string,
    stages: Record<"begun" | "halfWay", (publish: () => Promise<PublishedSignal>, from: RedisNode) => Promise<unknown>>,
  ) {
    let count = 0;
    const publish = () => opened.signals.publish(joined(meetingId, `${meetingId}/${count++}`), idempotent);
    await publish();
    const from = await cluster.masterOf(`room-stream:${meetingId}`);
    const to = await otherMaster(cluster, from);
    const run = (stage: "begun" | "halfWay") => () => stages[stage](publish, from);
    await moveSlot(from, to, `room-stream:${meetingId}`, run("halfWay"), run("begun"));
  }

  /** Resolves when the node has refused a command until the slot has moved. */
  async function tryAgain(node: RedisNode): Promise<void> {
    // The server tells nobody that it has refused a command: it has to be asked. The test's own limit bounds it.
    while (!/errorstat_TRYAGAIN/.test(String(await node.call("INFO", "errorstats")))) await delay(10);
  }

  it("stores idempotent signals once, and all of them, while their slot moves", async () => {
    const waiting: Promise<PublishedSignal>[] = [];
    await movePublished("slot-moves", {
      // Whole at its old node, the meeting is served there.
      begun: async (publish) => expect(await publish()).to.include({ duplicate: false }),
      halfWay: async (publish, from) => {
        await from.call("CONFIG", "RESETSTAT");
        waiting.push(publish(), publish());
        await tryAgain(from);
      },
    });
    const stored = await Promise.all(waiting);
    expect(stored.map(({ duplicate }) => duplicate)).to.deep.equal([false, false]);
    for (let i = 0; i < 4; i += 1)
      expect(await opened.signals.publish(joined("slot-moves", `slot-moves/${i}`), idempotent)).to.include({
        duplicate: true,
      });
    const requestIds = (await readAll("slot-moves")).map(([requestId]) => requestId);
    expect(requestIds).to.have.members(["slot-moves/0", "slot-moves/1", "slot-moves/2", "slot-moves/3"]);
  });

  it("stores a meeting's first idempotent signal when its slot has moved", async () => {
    const from = await cluster.masterOf("room-stream:slot-new");
    const to = await otherMaster(cluster, from);
    let first: Promise<PublishedSignal> | undefined;
    await opened.signals.publish(joined("slot-new", "slot-new/plain"));
    await moveSlot(from, to, "room-stream:slot-new", async () => {
      await to.call("CONFIG", "RESETSTAT");
      first = opened.signals.publish(joined("slot-new", "slot-new/0"), idempotent);
      await Promise.race([tryAgain(from), tryAgain(to)]);
    });
    expect(await first).to.include({ duplicate: false });
    expect((await readAll("slot-new")).map(([requestId]) => requestId)).to.deep.equal(["slot-new/plain", "slot-new/0"]);
  });

  it("closes a meeting whose slot is half moved", async () => {
    const keys: unknown[] = [];
    await movePublished("slot-closed", {
      begun: async () => undefined,
      halfWay: async (_, from) => {
        await opened.signals.close("slot-closed", { timeoutMs: 5_000 });
        const slot = Number(await from.call("CLUSTER", "KEYSLOT", "room-stream:slot-closed"));
        keys.push(await from.call("CLUSTER", "COUNTKEYSINSLOT", slot));
      },
    });
    expect(keys).to.deep.equal([0]);
    expect(await readAll("slot-closed")).to.deep.equal([]);
  });

  async function readAll(room: string): Promise<[string, string][]> {
    const all: [string, string][] = [];
    for (let after = "0-0"; ; ) {
      const page = await opened.signals.read(room, { after, count: 10_000 });
      if (page.length === 0) return all;
      all.push(...page.map((entry): [string, string] => ["requestId" in entry ? entry.requestId : "", entry.id]));
      after = page.at(-1)?.id ?? after;
    }
  }
});
