import { once } from "node:events";
import { connect as connectTo, createServer } from "node:net";
import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import type { RedisConfig } from "../../../src/config/types.js";
import { createRedisClient } from "../../../src/redis/client.js";
import {
  type RedisCluster,
  type RedisServer,
  startRedisCluster,
  startRedisServer,
} from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { openClient, redisConfig, rejection } from "./openClient.js";

const PASSWORD = "canary-password";

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name)).length;
}

describe("Redis client at its first connection", function () {
  this.timeout(60_000);
  let certificates: TestCertificates;
  let single: RedisServer;
  let cluster: RedisCluster;
  const servers: Record<string, RedisServer> = {};

  before(async () => {
    certificates = await createCertificates();
    single = await startRedisServer({ args: [`requirepass ${PASSWORD}`] });
    cluster = await startRedisCluster();
    for (const name of ["valid", "expired", "foreignHost", "foreignAuthority"] as const)
      servers[name] = await startRedisServer({ tls: certificates[name] });
  });

  after(async () => {
    await Promise.all([single, cluster, ...Object.values(servers)].map((server) => server?.stop()));
    certificates?.remove();
  });

  const credentials = (password: string | undefined): RedisConfig["credentials"] => ({
    kind: "variables",
    variable: "REDIS_CLUSTER_PASSWORD",
    username: undefined,
    password: password === undefined ? undefined : new Secret(password),
  });
  const tls = (caFile: string | undefined, verify = true) => ({ tls: { caFile, verify } });

  /** The error of a client that cannot connect; it must leave no socket behind. */
  async function refusal(config: RedisConfig, timeoutMs = 3_000) {
    const before = openSockets();
    const began = performance.now();
    const error = await rejection(openClient(config, timeoutMs));
    expect(performance.now() - began).to.be.lessThan(timeoutMs + 1_000);
    expect(error).to.include({ name: "RedisPingError", code: "ErrPingingRedisCluster" });
    expect(JSON.stringify(error) + error.stack).not.to.include("canary");
    // A socket being closed is gone within a few turns of the loop; a forgotten one stays.
    while (openSockets() > before && performance.now() - began < timeoutMs + 2_000) await new Promise(setImmediate);
    expect(openSockets()).to.be.at.most(before);
    return error.message;
  }

  for (const mode of ["single", "cluster"] as const) {
    it(`${mode}: nobody listens`, async () => {
      const closed = createServer().listen(0, "127.0.0.1");
      await once(closed, "listening");
      const { port } = closed.address() as { port: number };
      closed.close();
      const message = await refusal(redisConfig(mode, [{ host: "127.0.0.1", port }]));
      expect(message).to.match(/ECONNREFUSED.*check REDIS_CLUSTER_ADDRESSES/);
    });

    it(`${mode}: no such host`, async () => {
      const message = await refusal(redisConfig(mode, [{ host: "no-such-host.invalid", port: 6379 }]));
      expect(message).to.match(/no-such-host\.invalid.*check REDIS_CLUSTER_ADDRESSES/);
    });

    it(`${mode}: wrong and missing password`, async () => {
      const wrong = await refusal(redisConfig(mode, [single], { credentials: credentials("canary-wrong") }));
      expect(wrong).to.match(/WRONGPASS.*check REDIS_CLUSTER_USERNAME/);
      const missing = await refusal(redisConfig(mode, [single]));
      expect(missing).to.match(/NOAUTH.*check REDIS_CLUSTER_USERNAME/);
    });

    for (const [name, server, caOf, advice] of [
      ["expired certificate", "expired", "expired", /certificate.*REDIS_CLUSTER_TLS_CA_FILE/],
      ["certificate of a foreign authority", "foreignAuthority", "valid", /REDIS_CLUSTER_TLS_CA_FILE/],
      ["certificate of an authority the system does not know", "valid", undefined, /REDIS_CLUSTER_TLS_CA_FILE/],
      ["certificate for another host", "foreignHost", "valid", /another host/],
    ] as const) {
      it(`${mode}: ${name}`, async () => {
        const caFile = caOf && certificates[caOf].caFile;
        expect(await refusal(redisConfig(mode, [servers[server] as RedisServer], tls(caFile)))).to.match(advice);
      });
    }

    it(`${mode}: TLS to a plain server, and plain to a TLS server`, async () => {
      const caFile = certificates.valid.caFile;
      expect(await refusal(redisConfig(mode, [single], tls(caFile)))).to.match(
        /(no answer|ETIMEDOUT).*REDIS_CLUSTER_TLS/,
      );
      expect(await refusal(redisConfig(mode, [servers.valid as RedisServer]))).to.match(/REDIS_CLUSTER_TLS/);
    });

    it(`${mode}: a frozen server`, async () => {
      const silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const { port } = silent.address() as { port: number };
      expect(await refusal(redisConfig(mode, [{ host: "127.0.0.1", port }]), 500)).to.match(/no answer|did not answer/);
      silent.close();
    });
  }

  it("cluster mode against a single instance", async () => {
    const message = await refusal(redisConfig("cluster", [single], { credentials: credentials(PASSWORD) }));
    expect(message).to.match(/cluster support disabled.*REDIS_CLUSTER_MODE_ON=false/);
  });

  it("single mode against a node of a cluster", async () => {
    const message = await refusal(redisConfig("single", [cluster.nodes[0] as RedisServer]));
    expect(message).to.match(/node of a cluster.*REDIS_CLUSTER_MODE_ON=true/);
  });

  it("takes any certificate when told not to verify", async () => {
    for (const name of ["expired", "foreignHost", "foreignAuthority"]) {
      const { client } = await openClient(redisConfig("single", [servers[name] as RedisServer], tls(undefined, false)));
      await client.close(100);
    }
  });

  it("does not read the authority's file when told not to verify", () => {
    const config = redisConfig("single", [single], tls("/no/such/file", false));
    expect(() => createRedisClient({ redis: config }, { logger: recordingLogger() })).not.to.throw();
  });

  it("waits for a slot table that takes longer than ioredis' own second", async () => {
    // A TCP fake in front of a real node: Redis has no way to delay the answer to one command.
    const slow = createServer((client) => {
      const node = connectTo(cluster.nodes[0] as RedisServer);
      let delayMs = 0;
      client.on("data", (request) => {
        if (/SLOTS/i.test(request.toString("latin1"))) delayMs = 1_500;
        node.write(request);
      });
      node.on("data", (answer) => setTimeout(() => client.write(answer), delayMs));
      for (const socket of [client, node]) {
        socket.on("error", () => undefined);
        socket.on("close", () => [client, node].forEach((each) => void each.destroy()));
      }
    }).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const { port } = slow.address() as { port: number };
    const { client } = await openClient(redisConfig("cluster", [{ host: "127.0.0.1", port }]));
    expect(client.state().status).to.equal("ready");
    await client.close(100);
    slow.close();
  });

  it("checks the host name that was configured, not the address it resolves to", async () => {
    const { port } = servers.valid as RedisServer;
    const { caFile } = certificates.valid;
    const { client } = await openClient(redisConfig("single", [{ host: "localhost", port }], tls(caFile)));
    await client.close(100);
  });

  it("starts with one of three cluster addresses reachable", async () => {
    const addresses = [{ host: "127.0.0.1", port: 1 }, cluster.nodes[0] as RedisServer, { host: "127.0.0.1", port: 2 }];
    const { client } = await openClient(redisConfig("cluster", addresses));
    expect(client.state().status).to.equal("ready");
    await client.close(100);
  });

  it("shows its name to the server", async () => {
    const config = redisConfig("single", [single], { credentials: credentials(PASSWORD), name: "kendra-7" });
    const { client, logger } = await openClient(config);
    expect(String(await single.call("CLIENT", "LIST"))).to.include("name=kendra-7");
    await client.close(100);
    expect(logger.lines.find(({ message }) => message === "Redis is connected")?.fields).to.include({
      client: "kendra-7",
    });
    const refused = await refusal({ ...config, credentials: credentials("canary-wrong") });
    expect(refused).to.match(/^Redis \(client kendra-7\) at 127\.0\.0\.1:\d+ cannot be used/);
  });

  it("says once where its credentials come from", async () => {
    const logger = recordingLogger();
    const config = redisConfig("single", [single], { credentials: credentials(PASSWORD) });
    createRedisClient({ redis: config }, { logger });
    expect(logger.lines).to.deep.equal([
      {
        level: "info",
        fields: { event: "redis.credentials", source: "variables", variable: "REDIS_CLUSTER_PASSWORD" },
        message: "Redis credentials read",
      },
    ]);
  });

  it("names the variable of an authority file that cannot be read", () => {
    const config = redisConfig("single", [single], tls("/no/such/file"));
    expect(() => createRedisClient({ redis: config }, { logger: recordingLogger() })).to.throw(
      /REDIS_CLUSTER_TLS_CA_FILE names a file that does not exist/,
    );
  });
});
