import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import type { RedisConfig } from "../../../src/config/types.js";
import { createRedisClient } from "../../../src/redis/client.js";
import { createRedisRepository } from "../../../src/redis/repository.js";
import type { Signal } from "../../../src/redis/signals/types.js";
import { startRedisCluster, startRedisServer } from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";

const PASSWORD = "canary:p@ss/word?";

/** All that a Redis user of this package needs, and exactly what the README tells to grant. */
const GRANTED = /the Redis user needs `([^`]+)`/
  .exec(readFileSync(new URL("../../../README.md", import.meta.url), "utf8"))?.[1]
  ?.replaceAll("\n", " ") as string;

interface Target {
  readonly config: RedisConfig;
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  stop(): Promise<void>;
}

type Security = Pick<RedisConfig, "tls" | "credentials"> | Record<string, never>;

async function startTarget(mode: RedisConfig["mode"], certificates?: TestCertificates): Promise<Target> {
  const tls = certificates?.valid;
  const users = [`default off`, `app on >${PASSWORD} ~room-stream:* ~other* &* ${GRANTED}`];
  const options = tls ? { tls, users } : {};
  const security: Security = tls
    ? {
        tls: { caFile: tls.caFile, verify: true },
        credentials: {
          kind: "variables",
          variable: "REDIS_CLUSTER_PASSWORD",
          username: "app",
          password: new Secret(PASSWORD),
        },
      }
    : {};
  if (mode === "single") {
    const server = await startRedisServer(options);
    return { config: redisConfig(mode, [server], security), call: server.call, stop: server.stop };
  }
  const cluster = await startRedisCluster(options);
  const call: Target["call"] = async (command, ...args) =>
    (await cluster.masterOf(String(args[0]))).call(command, ...args);
  return { config: redisConfig(mode, cluster.nodes, security), call, stop: cluster.stop };
}

const join: Signal = {
  type: "DoordarshanUserJoined",
  meetingId: "m1",
  senderId: "p1",
  payload: { userJoinedReason: "joined" },
};

for (const mode of ["single", "cluster"] as const) {
  for (const secured of [false, true]) {
    describe(`Redis ${mode}, ${secured ? "TLS and an ACL user" : "plain"}`, function () {
      this.timeout(60_000);
      let certificates: TestCertificates | undefined;
      let target: Target;
      let opened: Opened;

      before(async () => {
        certificates = secured ? await createCertificates() : undefined;
        target = await startTarget(mode, certificates);
        opened = await openClient(target.config);
      });

      after(async () => {
        await opened?.client.close(1_000);
        await target?.stop();
        certificates?.remove();
      });

      it("stores many signals at once, those of streams it knows in one go", async () => {
        const many = Array.from({ length: 20 }, (_, i) => ({
          ...join,
          meetingId: `many-${i % 5}`,
          requestId: `r/${i}`,
        }));
        // The first time their expiry is set one by one.
        for (let round = 0; round < 2; round += 1)
          for (const outcome of await opened.signals.publishMany(many)) expect(outcome.status).to.equal("stored");
        expect(await target.call("XLEN", "room-stream:many-0")).to.equal(8);
      });

      it("stores an entry and returns its id", async () => {
        const values = { text: "häl\nlo", number: -1.5, yes: true, big: 2n ** 63n, "": "", __proto__x: "x" };
        const id = await opened.redis.pushToStream("other", values);
        const [entry] = await opened.redis.readStream("other");
        expect(entry?.id).to.equal(id);
        expect({ ...entry?.fields }).to.deep.equal({
          text: "häl\nlo",
          number: "-1.5",
          yes: "true",
          big: "9223372036854775808",
          "": "",
          __proto__x: "x",
        });
      });

      it("keeps a field named __proto__ as data", async () => {
        const values = JSON.parse('{"__proto__": "data"}');
        await opened.redis.pushToStream("other-proto", values);
        const [entry] = await opened.redis.readStream("other-proto");
        expect(Object.keys(entry?.fields ?? {})).to.deep.equal(["__proto__"]);
        expect(({} as Record<string, unknown>).data).to.equal(undefined);
      });

      it("lets the stream expire and renews its expiry with each push", async () => {
        await opened.redis.pushToStream("other-ttl", { a: 1 }, { ttlMs: 5_000 });
        await opened.redis.pushToStream("other-ttl", { a: 2 }, { ttlMs: 50_000 });
        // A reply behind them on the same connection: the expiry has been set by then.
        await opened.redis.readStream("other-ttl");
        expect(await target.call("PTTL", "other-ttl")).to.be.within(40_000, 50_000);
      });

      it("trims the stream to about its length", async () => {
        const pushes = Array.from({ length: 500 }, (_, i) =>
          opened.redis.pushToStream("other-long", { i }, { maxLength: 100 }),
        );
        await Promise.all(pushes);
        const length = Number(await target.call("XLEN", "other-long"));
        expect(length).to.be.within(100, 300);
      });

      it("reads in pages", async () => {
        const ids: string[] = [];
        for (let i = 0; i < 5; i += 1) ids.push(await opened.redis.pushToStream("other-pages", { i }));
        const first = await opened.redis.readStream("other-pages", { count: 2 });
        const rest = await opened.redis.readStream("other-pages", { after: ids[1] as string });
        expect([...first, ...rest].map((entry) => entry.id)).to.deep.equal(ids);
        expect(await opened.redis.readStream("other-none")).to.deep.equal([]);
      });

      it("publishes the five signals in the wire form and reads them back", async () => {
        const producerMap = { audio: "pr1", video: "pr2" };
        const all: Signal[] = [
          join,
          {
            ...join,
            type: "DoordarshanStreamPublish",
            payload: { publishReason: "r", producerMap, participantId: "p1" },
          },
          {
            ...join,
            type: "DoordarshanStreamUnPublish",
            receiverIds: ["p2", "p3"],
            payload: { unPublishReason: "r", producerMap, participantId: "p1" },
          },
          { ...join, type: "DoordarshanUserLeft", payload: { userLeftReason: "r", instanceId: "i1" } },
          { ...join, type: "DoordarshanDisconnect", senderId: "system", payload: { disconnectReason: null } },
        ];
        for (const signal of all) {
          const { entryId, requestId } = await opened.signals.publish(signal);
          const read = (await opened.signals.read("m1")).at(-1);
          expect(read).to.deep.equal({ receiverIds: null, ...signal, kind: "signal", id: entryId, requestId });
        }
        const [first] = (await target.call("XRANGE", "room-stream:m1", "-", "+")) as [[string, string[]]];
        expect(first[1].filter((_, i) => i % 2 === 0)).to.deep.equal([
          "name",
          "signal",
          "roomId",
          "participantId",
          "messageType",
          "requestId",
        ]);
        expect(JSON.parse(first[1][3] as string)).to.deep.equal({
          type: "DoordarshanUserJoined",
          subType: "DoordarshanUserJoined",
          version_id: 0,
          recipient_id: null,
          payload: { userJoinedReason: "joined" },
        });
      });

      it("delivers published messages to each handler until it is closed", async () => {
        const got: string[] = [];
        const received = (message: string) =>
          new Promise<void>((resolve) => {
            const check = () => (got.includes(message) ? resolve() : setImmediate(check));
            check();
          });
        const stop = new AbortController();
        await opened.redis.subscribe(
          "chan",
          () => {
            throw new Error("a handler's own trouble");
          },
          { signal: stop.signal },
        );
        const subscription = await opened.redis.subscribe("chan", (message) => got.push(message));
        expect(await opened.redis.publish("chan", "one")).to.equal(1);
        await received("one");
        expect(opened.logger.lines.map((line) => line.message)).to.include(
          "A message handler failed: a handler's own trouble",
        );
        await subscription.close();
        stop.abort();
        await opened.redis.subscribe("chan2", (message) => got.push(message));
        await opened.redis.publish("chan", "two");
        await opened.redis.publish("chan2", "three");
        await received("three");
        expect(got).to.deep.equal(["one", "three"]);
      });

      it("tells a refusal from a failure, without arguments", async () => {
        const error = await rejection(
          opened.client.send("XADD", ["other", "not-an-id", "f", "canary-value"], { kind: "write" }),
        );
        expect(error).to.include({ name: "RedisCommandError", code: "ErrRedisCommand", command: "XADD" });
        expect(JSON.stringify(error) + error.stack).not.to.include("canary-value");
      });

      if (secured) {
        it("shows no password when it is refused", async () => {
          const wrong = {
            ...target.config.credentials,
            password: new Secret("canary-wrong"),
          } as RedisConfig["credentials"];
          const error = await rejection(openClient({ ...target.config, credentials: wrong }));
          expect(error.message).to.match(/WRONGPASS.*check REDIS_CLUSTER_USERNAME/);
          expect(JSON.stringify(error) + error.stack).not.to.match(/canary/);
        });
      }

      it("takes no command once it is closed", async () => {
        const logger = recordingLogger();
        const client = createRedisClient({ redis: target.config }, { logger });
        await client.connect(5_000);
        const redis = createRedisRepository(client, target.config, logger);
        const pending = redis.pushToStream("other-close", { a: 1 });
        await Promise.all([client.close(1_000), client.close(1_000)]);
        expect(await pending).to.match(/^\d+-\d+$/);
        expect(await rejection(redis.pushToStream("other-close", { a: 2 }))).to.include({ code: "ErrClientNil" });
        expect(client.state().status).to.equal("closed");
      });
    });
  }
}
