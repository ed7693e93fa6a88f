import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import type { RedisConfig } from "../../../src/config/types.js";
import type { Signal } from "../../../src/redis/signals/types.js";
import { METRICS } from "../../../src/telemetry/metrics.js";
import {
  type RedisCluster,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { RecordedTelemetry } from "../../support/recordedTelemetry.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { joined } from "./signalLoad.js";
import { moveSlot, otherMaster } from "./slots.js";

/** The lines of an event, with the fields alone. */
function linesOf({ logger }: Opened, event: string) {
  return logger.lines.map(({ fields }) => fields as Record<string, unknown>).filter((fields) => fields.event === event);
}

/** Of a server that is gone: refused by the system, or accepted by a proxy that hangs up. */
const GONE = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "closed"];

describe("What is measured of one Redis server under faults", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let proxy: TcpProxy;
  let recorded: RecordedTelemetry;
  let opened: Opened;

  beforeEach(async () => {
    server = await startRedisServer();
    proxy = await startProxy(server);
    recorded = new RecordedTelemetry();
  });

  afterEach(async () => {
    await opened?.client.close(0);
    await proxy.stop();
    await server.stop();
  });

  async function open(more: Partial<RedisConfig> = {}, slowOperationMs?: number) {
    opened = await openClient(redisConfig("single", [proxy], more), 10_000, {
      instruments: recorded.instruments(),
      ...(slowOperationMs !== undefined && { slowOperationMs }),
    });
    return opened;
  }

  const errors = (type: string) =>
    recorded.total(METRICS.connectionErrors, { "db.system.name": "redis", "error.type": type });

  it("counts a signal whose reply is lost as unknown", async () => {
    const { signals } = await open();
    const cut = proxy.cutAfterRequest((request) => request.includes("XADD"));
    const error = await rejection(signals.publish(joined("m", "a")));
    await cut;
    expect(error).to.include({ code: "ErrPublishUnknown" });
    expect(recorded.total(METRICS.signalsPublished, { outcome: "unknown" })).to.equal(1);
    const failed = { "db.operation.name": "XADD", "error.type": "ErrPublishUnknown" };
    expect(recorded.total(METRICS.operationDuration, failed)).to.equal(1);
  });

  it("counts lost connections and refused ones by kind", async () => {
    await open();
    await proxy.stop();
    await recorded.until(() => errors("ECONNREFUSED") >= 2);
    expect(errors("closed") + errors("ECONNRESET")).to.be.at.least(1);
    expect(linesOf(opened, "redis.error").filter(({ code }) => code === "ECONNREFUSED")).to.have.length(1);
  });

  it("logs the commands that took long, one line of a kind at a time, and none that did not", async () => {
    const { client, redis } = await open({}, 300);
    await redis.pushToStream("s", { f: "quick" });
    await server.pause();
    const slow = ["canary-one", "canary-two"].map((f) => rejection(redis.pushToStream("s", { f }, { timeoutMs: 700 })));
    const read = client.send("XLEN", ["s"], { kind: "read" });
    const [error] = await Promise.all(slow);
    await server.resume();
    await read;
    const lines = linesOf(opened, "redis.slow");
    expect(lines.map(({ operation }) => operation)).to.deep.equal(["XADD", "XLEN"]);
    expect(lines[0]?.ms).to.be.within(690, 5_000);
    expect(lines[0]?.error).to.equal(error?.name);
    expect(lines[1]).to.include({ untold: 1 });
    expect(JSON.stringify(opened.logger.lines)).not.to.include("canary");
  });

  it("logs no slow command when told so", async () => {
    const { redis } = await open({}, 0);
    await server.pause();
    await rejection(redis.readStream("s", { timeoutMs: 1_100 }));
    await server.resume();
    expect(linesOf(opened, "redis.slow")).to.deep.equal([]);
  });
});

describe("What is measured of a Redis cluster under faults", function () {
  this.timeout(90_000);
  let cluster: RedisCluster;
  let recorded: RecordedTelemetry;
  let opened: Opened;

  beforeEach(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 });
    recorded = new RecordedTelemetry();
    opened = await openClient(redisConfig("cluster", cluster.nodes), 10_000, { instruments: recorded.instruments() });
  });

  afterEach(async () => {
    await opened?.client.close(0);
    await cluster?.stop();
  });

  const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => `${host}:${port}`;
  const redirected = (kind: string) => recorded.total(METRICS.redisRedirections, { kind });
  const failovers = () => recorded.total(METRICS.redisFailovers);

  /** Reads until `isSo`; what fails meanwhile does not matter. */
  async function readUntil(stream: string, isSo: () => boolean): Promise<void> {
    while (!isSo()) await opened.redis.readStream(stream, { timeoutMs: 500 }).catch(() => undefined);
  }

  it("counts and tells a failover, once, and the errors of the node that died", async () => {
    const stream = "room-stream:killed";
    const [master, replica] = [await cluster.masterOf(stream), await cluster.replicaOf(stream)];
    await master.kill();
    await readUntil(stream, () => failovers() > 0);
    const line = { event: "redis.failover", from: addressOf(master), to: addressOf(replica) };
    expect(linesOf(opened, "redis.failover").map(({ slots: _, ...rest }) => rest)).to.deep.equal([line]);
    expect(linesOf(opened, "redis.failover")[0]?.slots).to.match(/^\d+-\d+$/);
    expect(failovers()).to.equal(1);
    const died = recorded.records.filter(({ metric }) => metric === METRICS.connectionErrors);
    expect(died.length).to.be.above(0);
    for (const { attributes } of died) expect(attributes["error.type"]).to.be.oneOf(GONE);
  });

  it("counts the redirections of a resharding, of commands and of what is followed, and calls it no failover", async () => {
    const { signals } = opened;
    const stream = "room-stream:moving";
    await signals.publish(joined("moving", "a"));
    await signals.subscribe("moving", { from: "start", handler: () => undefined });
    const from = await cluster.masterOf(stream);
    const to = await otherMaster(cluster, from);
    let idempotent: Promise<unknown> = Promise.resolve();
    const halfWay = async () => {
      await signals.publish(joined("moving", "c"));
      expect(redirected("ASK")).to.be.at.least(1);
      idempotent = signals.publish(joined("moving", "d"), { idempotent: true });
      await recorded.until(() => redirected("TRYAGAIN") > 0);
    };
    // It keeps keys beside the stream, so that each node has some of them half-way.
    await signals.publish(joined("moving", "b"), { idempotent: true });
    await moveSlot(from, to, stream, halfWay);
    await idempotent;
    const received = () => recorded.total(METRICS.signalsReceived, { type: "DoordarshanUserJoined" });
    await recorded.until(() => received() === 4);
    // Whether a command or the slot table's renewal comes first is chance.
    for (let i = 0; redirected("MOVED") === 0; i += 1) {
      const [source, target] = i % 2 === 0 ? [to, from] : [from, to];
      await moveSlot(source, target, stream, async () => undefined);
      await opened.redis.readStream(stream);
    }
    expect(failovers()).to.equal(0);
    expect(linesOf(opened, "redis.slots").length).to.be.above(0);
  });
});

describe("What is recorded of Redis", function () {
  this.timeout(60_000);
  const CANARY = "canary-secret";
  let server: RedisServer;
  let opened: Opened | undefined;

  before(async () => {
    server = await startRedisServer({ users: [`tested on >${CANARY} ~* &* +@all`] });
  });

  afterEach(() => opened?.client.close(0));

  after(() => server?.stop());

  it("holds no password and no payload, whatever fails", async () => {
    const recorded = new RecordedTelemetry();
    const credentials = (username: string): RedisConfig["credentials"] => ({
      kind: "variables",
      variable: "REDIS_CLUSTER_PASSWORD",
      username,
      password: new Secret(CANARY),
    });
    const instruments = recorded.instruments();
    const options = { instruments, slowOperationMs: 1 };
    const wrong = redisConfig("single", [server], { credentials: credentials("nobody") });
    const refused = await rejection(openClient(wrong, 5_000, options));
    opened = await openClient(redisConfig("single", [server], { credentials: credentials("tested") }), 5_000, options);
    const { signals, client, logger } = opened;
    const secret = { ...joined("m", "a"), payload: { userJoinedReason: CANARY } } as Signal;
    await signals.publish(secret);
    await rejection(signals.publish({ ...secret, [CANARY]: 1 } as never));
    await rejection(signals.publish({ ...secret, type: CANARY } as never));
    await rejection(client.send(CANARY, [CANARY], { kind: "read" }));
    await server.call("XADD", "room-stream:m", "*", CANARY, CANARY, "traceparent", CANARY);
    const handler = () => Promise.reject(new Error("no"));
    await signals.consume({ group: "g", consumer: "c", meetingIds: "m", handler, maxDeliveries: 1 });
    await signals.subscribe("m", { from: "start", handler: () => undefined });
    await recorded.until(() => recorded.total(METRICS.deadLetters) === 2);
    await recorded.until(() => recorded.total(METRICS.signalsReceived) === 4);
    const gone = () =>
      GONE.reduce((sum, type) => sum + recorded.total(METRICS.connectionErrors, { "error.type": type }), 0);
    const before = gone();
    await server.kill();
    await rejection(signals.publish(secret, { timeoutMs: 100 }));
    await recorded.until(() => gone() > before);
    expect(recorded.total(METRICS.connectionErrors, { "error.type": "WRONGPASS" })).to.be.above(0);
    expect(recorded.spans.length).to.be.above(5);
    const all = `${await recorded.text()} ${JSON.stringify(logger.lines)} ${refused.message}`;
    expect(all).to.include("DoordarshanUserJoined").and.not.include("canary");
  });
});
