import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { SignalConsumption } from "../../../src/redis/signals/groups/consumption.js";
import {
  type RedisCluster,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { Condition } from "../../support/condition.js";
import { Consumed, gate } from "./consumed.js";
import { type Opened, openClient, redisConfig } from "./openClient.js";
import { joined, SignalLoad } from "./signalLoad.js";
import { moveSlot, otherMaster } from "./slots.js";

const MEETINGS = 12;
const TIMEOUTS = { readTimeoutMs: 1_000, writeTimeoutMs: 1_000, dialTimeoutMs: 1_000, followSweepMs: 500 };
const FIXTURE = fileURLToPath(new URL("./fixtures/consumer.ts", import.meta.url));

/** A consumer beside a load, which has to handle all that is stored. */
class ConsumedLoad {
  private constructor(
    private readonly opened: Opened,
    readonly load: SignalLoad,
    private readonly consumed: Consumed,
    private readonly consumption: SignalConsumption,
  ) {}

  static async start(opened: Opened, prefix: string): Promise<ConsumedLoad> {
    const load = await SignalLoad.start(opened, prefix, MEETINGS);
    const consumed = new Consumed();
    const { meetingIds } = load;
    const consumption = await opened.signals.consume({
      group: "g",
      consumer: "c",
      meetingIds,
      minIdleMs: 2_000,
      handler: consumed.handler,
    });
    return new ConsumedLoad(opened, load, consumed, consumption);
  }

  /** Waits until all that is stored was handled, in its order, and acknowledged. */
  async finish(): Promise<void> {
    await this.load.finish();
    for (const meetingId of this.load.meetingIds) {
      const stored = (await this.opened.signals.read(meetingId, { count: 10_000 })).map((entry) =>
        entry.kind === "signal" ? entry.requestId : entry.kind,
      );
      const handled = () => new Set(this.consumed.requestIds(meetingId));
      while (!stored.every((requestId) => handled().has(requestId)))
        await this.consumed.until(this.consumed.calls.length + 1);
      const known = new Set(stored);
      expect(
        [...handled()].filter((requestId) => known.has(requestId)),
        meetingId,
      ).to.deep.equal(stored);
      for (;;) {
        const { pending, entries } = (await this.opened.signals.lag(meetingId)).groups[0] ?? {};
        if (pending === 0 && entries === 0) break;
      }
    }
    await this.consumption.close();
  }
}

describe("Consumer groups on one server, under faults", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let opened: Opened;
  const children: ChildProcess[] = [];

  before(async () => {
    server = await startRedisServer({ args: ["appendonly yes"] });
    opened = await openClient(redisConfig("single", [server], TIMEOUTS));
  });

  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await opened?.client.close(0);
    await server?.stop();
  });

  it("goes on where it was when the server is killed and restarted", async () => {
    const consumed = await ConsumedLoad.start(opened, "restart");
    await server.restart();
    await consumed.load.untilProgress();
    await consumed.finish();
  });

  it("gives each entry to one of two processes, and those of one that is killed to the other", async () => {
    const meetingIds = Array.from({ length: 4 }, (_, i) => `killed-${i}`);
    const [one, two] = await Promise.all(["c1", "c2"].map((consumer) => start(consumer, meetingIds)));
    if (!one || !two) throw new Error("Two processes are needed");
    const publish = (from: number, to: number) =>
      Promise.all(
        meetingIds.map(async (meetingId) => {
          for (let i = from; i < to; i += 1) await opened.signals.publish(joined(meetingId, `${meetingId}/${i}`));
        }),
      );
    await publish(0, 50);
    await one.condition.until(() => one.handled.length + two.handled.length >= 200);
    const both = [...one.handled, ...two.handled];
    expect(both, "each once while both live").to.have.length(new Set(both).size);
    const publishing = publish(50, 200);
    const soFar = one.handled.length;
    await one.condition.until(() => one.handled.length >= soFar + 20);
    one.child.kill("SIGKILL");
    await publishing;
    const all = () => new Set([...one.handled, ...two.handled]);
    await one.condition.until(() => all().size === 800);
    const again = one.handled.length + two.handled.length - all().size;
    expect(again, "handled twice: at most what was in hand in each meeting").to.be.at.most(meetingIds.length);
    expect(two.handled.length).to.be.above(150);
  });

  interface Process {
    readonly child: ChildProcess;
    readonly handled: string[];
    /** Of all processes. */
    readonly condition: Condition;
  }

  const condition = new Condition();

  /** Resolves when it consumes. */
  async function start(consumer: string, meetingIds: readonly string[]): Promise<Process> {
    const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, `${server.port}`, consumer, ...meetingIds], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const handled: string[] = [];
    const lines = createInterface(child.stdout);
    const ready = once(lines, "line");
    lines.on("line", (line) => {
      if (line !== "ready") handled.push(line);
      condition.changed();
    });
    expect(await ready).to.deep.equal(["ready"]);
    return { child, handled, condition };
  }
});

describe("Consumer groups on a cluster, under faults", function () {
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
    const consumed = await ConsumedLoad.start(opened, "killed");
    const master = await cluster.masterOf("room-stream:killed-0");
    await master.kill();
    await consumed.load.untilProgress();
    await master.restart();
    await consumed.finish();
  });

  it("follows a failover that an operator asks for", async () => {
    const consumed = await ConsumedLoad.start(opened, "failover");
    const replica = await cluster.replicaOf("room-stream:failover-0");
    await replica.call("CLUSTER", "FAILOVER");
    while ((await cluster.masterOf("room-stream:failover-0")).port !== replica.port)
      await consumed.load.untilProgress();
    await consumed.load.untilProgress();
    await consumed.finish();
  });

  it("follows slots that move while signals are published", async () => {
    const consumed = await ConsumedLoad.start(opened, "moving");
    const { load } = consumed;
    const from = await cluster.masterOf("room-stream:moving-0");
    const to = await otherMaster(cluster, from);
    await moveSlot(from, to, "room-stream:moving-0", () => load.untilProgress(["moving-0"]));
    await load.untilProgress();
    await consumed.finish();
  });

  it("goes on with the replica of a master that freezes", async () => {
    const consumed = await ConsumedLoad.start(opened, "frozen");
    const master = await cluster.masterOf("room-stream:frozen-0");
    await master.pause();
    try {
      await consumed.load.untilProgress();
    } finally {
      await master.resume();
    }
    await consumed.finish();
  });

  it("handles the entries of healthy servers while acknowledgements wait for one that is frozen", async () => {
    const master = await cluster.masterOf("room-stream:cold");
    const replica = await cluster.replicaOf("room-stream:cold");
    const warm = await meetingElsewhere(master.port);
    const { opened: released, open: release } = gate();
    const consumed = new Consumed((event) => (event.meetingId === "cold" ? released : undefined));
    const consumption = await opened.signals.consume({
      group: "g",
      consumer: "c",
      meetingIds: ["cold", warm],
      handler: consumed.handler,
      concurrency: 1,
      closeTimeoutMs: 100,
    });
    await opened.signals.publish(joined("cold", "1"));
    await consumed.until(1);
    await master.pause();
    try {
      release();
      await opened.signals.publish(joined(warm, "2"));
      await consumed.until(2);
      // Not after the failover, which ends the wait.
      expect(((await replica.call("ROLE")) as string[])[0]).to.equal("slave");
    } finally {
      await master.resume();
    }
    await consumption.close();
  });

  async function meetingElsewhere(port: number): Promise<string> {
    for (let i = 0; ; i += 1) if ((await cluster.masterOf(`room-stream:warm-${i}`)).port !== port) return `warm-${i}`;
  }
});
