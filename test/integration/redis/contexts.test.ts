import { AsyncLocalStorage } from "node:async_hooks";
import { expect } from "chai";
import { createRedisClient, type RedisClient } from "../../../src/redis/client.js";
import { createRedisRepository, type RedisRepository } from "../../../src/redis/repository.js";
import { createSignals, type Signals } from "../../../src/redis/signals/signals.js";
import { lineLogger } from "../../../src/telemetry/lineLogger.js";
import { currentLogFields, withLogFields } from "../../../src/telemetry/logFields.js";
import { Condition } from "../../support/condition.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { redisConfig } from "./openClient.js";
import { type RedisTarget, startRedisTarget } from "./redisTarget.js";
import { joined } from "./signalLoad.js";

for (const mode of ["single", "cluster"] as const) {
  describe(`Whose context it is that Redis calls back in, ${mode}`, function () {
    this.timeout(60_000);
    let target: RedisTarget;
    let client: RedisClient;
    let redis: RedisRepository;
    let signals: Signals;
    let logger: ReturnType<typeof recordingLogger>;
    /** A service's own. */
    const request = new AsyncLocalStorage<string>();
    const asRequest = <T>(id: string, work: () => T): T =>
      request.run(id, () => withLogFields({ requestId: id }, work));

    before(async () => {
      target = await startRedisTarget(mode);
    });

    beforeEach(async () => {
      logger = recordingLogger();
      const config = redisConfig(mode, target.addresses, { maxInFlight: 1, followSweepMs: 200 });
      const told = { logger: lineLogger(logger) };
      client = createRedisClient({ redis: config }, { ...told, slowOperationMs: 40 });
      await asRequest("start", () => client.connect(10_000));
      redis = createRedisRepository(client, config, told.logger);
      signals = createSignals({ client, redis, config, ...told });
    });

    afterEach(() => client.close(0));

    after(() => target?.stop());

    const linesOf = (event: string) =>
      logger.lines.map(({ fields }) => fields as Record<string, unknown>).filter((fields) => fields.event === event);

    it("gives a slow command's line the fields of who sent it, though another made place for it", async () => {
      const long = asRequest("long", () => client.send("BLPOP", ["nothing", "0.3"], { kind: "read" }));
      const behind = asRequest("behind", () => client.send("XLEN", ["nothing"], { kind: "read" }));
      await Promise.all([long, behind]);
      const told = linesOf("redis.slow").map(({ operation, requestId }) => [operation, requestId]);
      expect(told).to.deep.equal([
        ["other", "long"],
        ["XLEN", "behind"],
      ]);
    });

    it("calls each subscriber's and consumer's handler in the subscriber's own context", async () => {
      const seen: string[] = [];
      const condition = new Condition();
      const see = (who: string) => () => {
        seen.push(`${who}: ${request.getStore()} ${currentLogFields()?.requestId}`);
        condition.changed();
      };
      await asRequest("one", () => signals.subscribe("m1", { handler: see("first") }));
      await asRequest("two", () => signals.subscribe("m1", { handler: see("second") }));
      await asRequest("three", () =>
        signals.consume({ group: "g", consumer: "c", meetingIds: "m1", handler: see("consumer") }),
      );
      await asRequest("four", () => redis.subscribe("channel", see("channel")));
      await redis.subscribe("channel", see("nobody's"));
      await asRequest("publisher", async () => {
        await signals.publish(joined("m1", "a"));
        await redis.publish("channel", "hello");
      });
      await condition.until(() => seen.length >= 5);
      expect(seen).to.have.members([
        "first: one one",
        "second: two two",
        "consumer: three three",
        "channel: four four",
        "nobody's: undefined undefined",
      ]);
    });

    it("tells of connections in nobody's name", async () => {
      await asRequest("first", () => client.send("XLEN", ["a"], { kind: "read" }));
      await asRequest("follows", () => signals.subscribe("m2"));
      const before = logger.lines.length;
      await target.callAll("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await target.callAll("CLIENT", "KILL", "TYPE", "pubsub");
      await asRequest("later", () => client.send("XLEN", ["a"], { kind: "read" }));
      await asRequest("again", () => signals.subscribe("m2", { from: "start" }));
      const lines = logger.lines.slice(before).map(({ fields }) => fields as Record<string, unknown>);
      const ofRequests = lines.filter(({ event, requestId }) => event !== "redis.slow" && requestId !== undefined);
      expect(lines).not.to.deep.equal([]);
      expect(ofRequests).to.deep.equal([]);
    });
  });
}
