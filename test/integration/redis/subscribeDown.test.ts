import { expect } from "chai";
import { BackpressureError, DeadlineExceededError } from "../../../src/errors.js";
import { type RedisCluster, startRedisCluster } from "../../../src/testing/index.js";
import { openClient, redisConfig, rejection } from "./openClient.js";

const CALLERS = 100;
const WAVES = 6;

describe("Channels while a whole cluster is down", function () {
  this.timeout(60_000);
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startRedisCluster();
  });

  after(() => cluster?.stop());

  async function calls(command: string): Promise<number> {
    const stats = await Promise.all(cluster.nodes.map((node) => node.call("INFO", "commandstats")));
    const counts = stats.map((text) => new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(text))?.[1] ?? 0);
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  async function channels(): Promise<string[]> {
    const known = await Promise.all(cluster.nodes.map((node) => node.call("PUBSUB", "SHARDCHANNELS")));
    return (known.flat() as string[]).sort();
  }

  it("keeps nothing that nobody waits for any more, and bounds those who wait", async () => {
    const config = redisConfig("cluster", cluster.nodes, { poolTimeoutMs: 500, maxWaiting: CALLERS });
    const { client, redis } = await openClient(config);
    await Promise.all(["kept", "ended"].map((channel) => redis.subscribe(channel, () => undefined)));
    const { close } = await redis.subscribe("closed", () => undefined);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    // Until the subscriptions' own connections have noticed: what the driver is given before, it may go on with by itself.
    let noticed = false;
    while (!noticed)
      noticed = /is closed/.test(String((await rejection(redis.subscribe("lost", () => undefined))).cause));
    await close();
    for (let wave = 0; wave < WAVES; wave += 1) {
      const names = Array.from({ length: CALLERS }, (_, i) => `wave-${wave}-${i}`);
      const subscribing = names.map((name) => rejection(redis.subscribe(name, () => undefined)));
      expect(await rejection(redis.subscribe("one too many", () => undefined))).to.be.instanceOf(BackpressureError);
      for (const error of await Promise.all(subscribing)) expect(error).to.be.instanceOf(DeadlineExceededError);
    }
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await cluster.untilHealthy();
    const received = new Promise((resolve) => void subscribeAgain(resolve));
    expect(await received).to.equal("again");
    // The driver subscribes again to all that it knows, once or more often: that is none of those who waited in vain.
    expect(await calls("ssubscribe")).to.be.below(CALLERS);
    while ((await channels()).join() !== "ended,kept,new") await new Promise((resolve) => setImmediate(resolve));
    await client.close(0);

    /** Until the client has found the cluster again. */
    async function subscribeAgain(deliver: (message: string) => void): Promise<void> {
      for (let subscribed = false; !subscribed; )
        subscribed = await redis.subscribe("new", deliver).then(
          () => true,
          () => false,
        );
      await redis.publish("new", "again", { timeoutMs: 10_000 });
    }
  });
});
