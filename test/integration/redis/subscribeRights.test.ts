import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import type { SignalIterator } from "../../../src/redis/signals/subscription.js";
import { type RedisServer, startRedisCluster, startRedisServer } from "../../../src/testing/index.js";
import { createCertificates } from "../../support/certificates.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { joined } from "./signalLoad.js";

const PASSWORD = "canary-password";
/** What following needs, besides CONFIG, which it can do without. */
const COMMANDS = "+ping +info +client|setname +xadd +xrange +pexpire +xinfo|stream +subscribe +unsubscribe";
const CLUSTER_COMMANDS = "+cluster|slots +cluster|info +asking +readonly";
const SETTING = "notify-keyspace-events";

async function roundTrips({ signals }: Opened, subscription: SignalIterator, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { entryId } = await signals.publish(joined("m", `r${i}`));
    expect((await subscription.next()).value).to.include({ kind: "signal", entryId });
  }
}

describe("Subscriptions of a Redis user with few rights", function () {
  this.timeout(30_000);
  let server: RedisServer;
  const opened: Opened[] = [];

  before(async () => {
    const user = (name: string, rights: string) => `${name} on >${PASSWORD} ~room-stream:* ${rights}`;
    server = await startRedisServer({
      users: [
        "default off",
        user("plain", `&* ${COMMANDS}`),
        user("deaf", `resetchannels ${COMMANDS}`),
        user("admin", "&* +@all"),
      ],
    });
  });

  beforeEach(() => server.call("CONFIG", "SET", SETTING, ""));

  afterEach(() => Promise.all(opened.splice(0).map(({ client }) => client.close(0))));

  after(() => server?.stop());

  async function open(username: string, followSweepMs: number, enableNotifications = true): Promise<Opened> {
    const password = new Secret(PASSWORD);
    const credentials = { kind: "variables", variable: "REDIS_CLUSTER_PASSWORD", username, password } as const;
    const client = await openClient(
      redisConfig("single", [server], { credentials, followSweepMs, enableNotifications }),
    );
    opened.push(client);
    return client;
  }

  const warnings = ({ logger }: Opened) => logger.lines.filter(({ level }) => level === "warn");

  it("hears of entries at once where notifications are on", async () => {
    await server.call("CONFIG", "SET", SETTING, "KA");
    // A sweep would come too late for the test.
    const client = await open("plain", 3_600_000);
    await roundTrips(client, await client.signals.subscribe("m"), 20);
    expect(warnings(client)).to.deep.equal([]);
  });

  it("lives on the sweep where they are off, and says so once", async () => {
    const client = await open("plain", 50);
    const subscription = await client.signals.subscribe("m");
    await roundTrips(client, subscription, 6);
    while (warnings(client).length === 0) await roundTrips(client, subscription, 1);
    await roundTrips(client, subscription, 6);
    const [warning] = warnings(client);
    expect(warnings(client)).to.have.length(1);
    expect(warning?.message).to.match(/notifications are off.*set notify-keyspace-events to "Kt".*NOPERM/);
  });

  it("leaves the server's setting alone where it is told to", async () => {
    const client = await open("admin", 50, false);
    const subscription = await client.signals.subscribe("m");
    await roundTrips(client, subscription, 3);
    expect(await server.call("CONFIG", "GET", SETTING)).to.deep.equal([SETTING, ""]);
    expect(warnings(client).map(({ message }) => message)).to.have.length(1);
    expect(warnings(client)[0]?.message).to.match(/REDIS_FOLLOW_ENABLE_NOTIFICATIONS is false/);
  });

  it("says once that streams cannot be read any more, however many are followed", async () => {
    const client = await open("plain", 50);
    const meetings = Array.from({ length: 30 }, (_, i) => `n${i}`);
    const subscription = await client.signals.subscribe(meetings, { from: "start" });
    const follows = () => warnings(client).filter(({ fields }) => "event" in fields && fields.event === "redis.follow");
    const refused = async () => {
      const stats = String(await server.call("INFO", "commandstats"));
      return Number(/^cmdstat_xrange:.*rejected_calls=(\d+)/m.exec(stats)?.[1] ?? 0);
    };
    await server.call("ACL", "SETUSER", "plain", "-xrange");
    try {
      const before = await refused();
      while ((await refused()) < before + 3 * meetings.length) await new Promise(setImmediate);
      // Two are told where it took more than ten seconds.
      expect(follows().length).to.be.within(1, 2);
    } finally {
      await server.call("ACL", "SETUSER", "plain", "+xrange");
    }
    const { entryId } = await client.signals.publish(joined("n7", "again"));
    expect((await subscription.next()).value).to.include({ kind: "signal", entryId });
  });

  it("says what is missing where it may not subscribe at all", async () => {
    const client = await open("deaf", 50);
    const error = await rejection(client.signals.subscribe("m"));
    expect(error).to.include({ code: "ErrRedisCommand", command: "SUBSCRIBE" });
    expect(JSON.stringify(error) + error.stack).not.to.include(PASSWORD);
  });
});

describe("Subscriptions of a Redis user with few rights, on a cluster with TLS", function () {
  this.timeout(60_000);

  it("hear of entries at once", async () => {
    const certificates = await createCertificates();
    const { valid } = certificates;
    const user = `app on >${PASSWORD} ~room-stream:* &* ${COMMANDS} ${CLUSTER_COMMANDS}`;
    const args = [`${SETTING} Kt`];
    const cluster = await startRedisCluster({ tls: valid, users: ["default off", user], args });
    const password = new Secret(PASSWORD);
    const credentials = { kind: "variables", variable: "REDIS_CLUSTER_PASSWORD", username: "app", password } as const;
    const tls = { caFile: valid.caFile, verify: true };
    const client = await openClient(
      redisConfig("cluster", cluster.nodes, { tls, credentials, followSweepMs: 3_600_000 }),
    );
    try {
      const subscription = await client.signals.subscribe(["m", ...Array.from({ length: 20 }, (_, i) => `m${i}`)]);
      await roundTrips(client, subscription, 20);
      expect(client.logger.lines.filter(({ level }) => level === "warn")).to.deep.equal([]);
    } finally {
      await client.client.close(0);
      await cluster.stop();
      certificates.remove();
    }
  });
});
