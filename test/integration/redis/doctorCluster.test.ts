import { expect } from "chai";
import type { CheckReport } from "../../../src/doctor/runner.js";
import { type RedisCluster, type RedisNode, startRedisCluster } from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { CANARY, examined, idsOf, textsOf } from "./doctored.js";
import { otherMaster } from "./slots.js";

const KEY = "room-stream:m";

describe("The doctor on a Redis Cluster", function () {
  this.timeout(120_000);
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 1_000, args: ["notify-keyspace-events Kt"] });
  });

  after(() => cluster?.stop());

  const nameOf = ({ port }: RedisNode) => `127.0.0.1:${port}`;
  const fromOne = (node: RedisNode) => ({ ...cluster.environment, REDIS_CLUSTER_ADDRESSES: nameOf(node) });

  /** A cluster tells nobody when the news has reached all of its nodes: it has to be looked at again. */
  async function until(isSo: (reports: CheckReport[]) => boolean, environment = cluster.environment) {
    for (;;) {
      const reports = await examined(environment);
      if (isSo(reports)) return reports;
    }
  }

  it("finds nothing wrong with a healthy one, from whichever node it is looked at", async () => {
    const master = await cluster.masterOf(KEY);
    // A replica is announced to clients only once its offset is known to the node that is asked.
    const healthy = await until(
      (reports) => textsOf(reports, "redis.cluster.addresses")[0]?.includes("5 nodes") ?? false,
      fromOne(master),
    );
    expect([idsOf(healthy, "failed"), idsOf(healthy, "warning")]).to.deep.equal([[], []]);
    const replica = await cluster.replicaOf(KEY);
    const seen = await examined(fromOne(replica));
    expect([idsOf(seen, "failed"), idsOf(seen, "warning")]).to.deep.equal([[], []]);
    expect(textsOf(await examined(cluster.environment), "redis.cluster.state")[0]).to.match(/^ok all 6 servers/);
  });

  it("names single mode against a node of a cluster", async () => {
    const reports = await examined({ ...fromOne(cluster.nodes[0] as RedisNode), REDIS_CLUSTER_MODE_ON: "false" });
    expect(textsOf(reports, "redis.mode")[0]).to.match(
      /^failed .*a node of a cluster.* -> .*REDIS_CLUSTER_MODE_ON=true/,
    );
  });

  it("warns of one address of many that is dead", async () => {
    const addresses = `127.0.0.1:1,${cluster.environment.REDIS_CLUSTER_ADDRESSES}`;
    const reports = await examined({ ...cluster.environment, REDIS_CLUSTER_ADDRESSES: addresses });
    expect(textsOf(reports, "redis.tcp")[0]).to.match(/^warning 127\.0\.0\.1:1 .*ECONNREFUSED/);
    expect(idsOf(reports, "failed")).to.deep.equal([]);
    expect(textsOf(reports, "redis.cluster.state")[0]).to.match(/^ok all 6 servers/);
  });

  it("names slots without a master, and a node that sees it otherwise", async () => {
    const master = await cluster.masterOf(KEY);
    const slot = Number(await master.call("CLUSTER", "KEYSLOT", KEY));
    const slots = [slot, slot + 1];
    await master.call("CLUSTER", "DELSLOTS", ...slots);
    const alone = await examined(cluster.environment);
    expect(textsOf(alone, "redis.cluster.agreement")[0]).to.match(
      new RegExp(`^failed ${nameOf(master)}: has another table of slots than most`),
    );
    expect(textsOf(alone, "redis.cluster.slots").filter((text) => text.startsWith("failed"))[0]).to.include(
      `${nameOf(master)}: slots without a master: ${slot}-${slot + 1}`,
    );
    for (const node of cluster.nodes) if (node.port !== master.port) await node.call("CLUSTER", "DELSLOTS", ...slots);
    const all = await until(
      (reports) => textsOf(reports, "redis.cluster.slots")[0]?.includes("all 6 servers") ?? false,
    );
    expect(textsOf(all, "redis.cluster.slots")[0]).to.match(
      new RegExp(`^failed all 6 servers: slots without a master: ${slot}-${slot + 1} -> .*--cluster fix`),
    );
    expect(textsOf(all, "redis.cluster.state")[0]).to.match(/^failed .*cluster_state is fail/);
    await master.call("CLUSTER", "ADDSLOTS", ...slots);
    await until((reports) => idsOf(reports, "failed").length === 0);
  });

  it("names a slot on the move", async () => {
    const from = await cluster.masterOf(KEY);
    const to = await otherMaster(cluster, from);
    const slot = Number(await from.call("CLUSTER", "KEYSLOT", KEY));
    await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", String(await from.call("CLUSTER", "MYID")));
    await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", String(await to.call("CLUSTER", "MYID")));
    const texts = textsOf(await examined(cluster.environment), "redis.cluster.migration");
    for (const node of [from, to]) await node.call("CLUSTER", "SETSLOT", slot, "STABLE");
    const found = texts.filter((text) => text.startsWith("warning")).join("\n");
    expect(found)
      .to.include(`${nameOf(from)}: gives away slots ${slot} -> `)
      .and.include(`${nameOf(to)}: takes slots ${slot} -> `);
  });

  it("names a replica that has stopped, and the master that is left alone", async () => {
    const master = await cluster.masterOf(KEY);
    const replica = await cluster.replicaOf(KEY);
    await replica.kill();
    const reports = await until(
      (found) => textsOf(found, "redis.cluster.nodes")[0]?.includes("marked fail ") ?? false,
      fromOne(master),
    );
    expect(textsOf(reports, "redis.cluster.nodes")[0]).to.include(
      `warning ${nameOf(replica)}, a replica, is marked fail -> `,
    );
    expect(textsOf(reports, "redis.cluster.replicas")[0]).to.match(
      new RegExp(`^warning masters without a working replica: ${nameOf(master)} -> Start`),
    );
    expect(idsOf(reports, "failed")).to.deep.equal([]);
    await replica.restart();
    await cluster.untilHealthy();
  });

  it("names a node that is frozen, and looks at the others", async () => {
    const frozen = await cluster.replicaOf(KEY);
    await frozen.pause();
    try {
      const began = performance.now();
      const reports = await examined(cluster.environment, { timeoutMs: 2_000 });
      expect(performance.now() - began).to.be.lessThan(6_000);
      expect(textsOf(reports, "redis.login").find((text) => !text.startsWith("ok"))).to.match(
        new RegExp(`^warning ${nameOf(frozen)} cannot be used: PING: no reply within 500 ms`),
      );
      expect(textsOf(reports, "redis.cluster.state")[0]).to.match(/^ok all 5 servers/);
    } finally {
      await frozen.resume();
    }
    await cluster.untilHealthy();
  });

  it("tells what it can to a user who may not ask for CLUSTER NODES", async () => {
    const rights = ["on", "nopass", "~*", "&*", "+@all", "-cluster|nodes"];
    for (const node of cluster.nodes) await node.call("ACL", "SETUSER", "default", ...rights);
    const reports = await until((found) => /^ok/.test(textsOf(found, "redis.cluster.replicas")[0] ?? ""));
    expect(textsOf(reports, "redis.cluster.nodes")[0]).to.match(/^skipped .*-> .*\+cluster\|nodes/);
    expect(textsOf(reports, "redis.cluster.migration")[0]).to.match(/^skipped all 6 servers: .*NOPERM/);
    expect(textsOf(reports, "redis.cluster.replicas")[0]).to.match(/^ok 3 masters/);
    for (const node of cluster.nodes) await node.call("ACL", "SETUSER", "default", "+cluster|nodes");
  });

  it("names a node whose rights are not the others'", async () => {
    const node = cluster.nodes[1] as RedisNode;
    await node.call("ACL", "SETUSER", "default", "-xadd");
    const reports = await examined(cluster.environment);
    await node.call("ACL", "SETUSER", "default", "+xadd");
    const [, refused] = textsOf(reports, "redis.permissions");
    expect(refused).to.match(new RegExp(`^failed ${nameOf(node)}: default lacks \\+xadd for publishing`));
  });

  it("names a node with another password, and looks at the others", async () => {
    const node = cluster.nodes[1] as RedisNode;
    for (const each of cluster.nodes) {
      const password = each === node ? "another" : CANARY;
      await each.call("ACL", "SETUSER", "service", "on", `>${password}`, "~*", "&*", "+@all");
    }
    const user = { REDIS_CLUSTER_USERNAME: "service", REDIS_CLUSTER_PASSWORD: CANARY };
    const reports = await examined({ ...cluster.environment, ...user });
    for (const each of cluster.nodes) await each.call("ACL", "DELUSER", "service");
    expect(idsOf(reports, "failed")).to.deep.equal(["redis.login"]);
    expect(textsOf(reports, "redis.login").find((text) => text.startsWith("failed"))).to.include(nameOf(node));
    expect(textsOf(reports, "redis.cluster.state")[0]).to.match(/^ok all 5 servers/);
  });

  it("names an announced address that cannot be reached from here", async () => {
    const [first, second] = cluster.nodes as [RedisNode, RedisNode];
    await second.call("CONFIG", "SET", "cluster-announce-port", 1);
    const isAnnounced = (found: CheckReport[]) => !textsOf(found, "redis.cluster.addresses")[0]?.startsWith("ok");
    const reports = await until(isAnnounced, fromOne(first));
    expect(textsOf(reports, "redis.cluster.addresses")[0]).to.match(
      /^failed 127\.0\.0\.1:1 is announced as a master and cannot be used: .*ECONNREFUSED.* -> .*cluster-announce-ip/,
    );
    await second.call("CONFIG", "SET", "cluster-announce-port", 0);
    await until((found) => !isAnnounced(found), fromOne(first));
  });
});

describe("The doctor on a Redis Cluster with TLS", function () {
  this.timeout(120_000);
  let cluster: RedisCluster;
  let certificates: TestCertificates;

  before(async () => {
    certificates = await createCertificates();
    cluster = await startRedisCluster({ tls: certificates.valid, args: ["notify-keyspace-events Kt"] });
  });

  after(async () => {
    await cluster?.stop();
    certificates?.remove();
  });

  it("looks at the certificate of every node that is announced", async () => {
    const [seed] = cluster.nodes as [RedisNode];
    const environment = {
      ...cluster.environment,
      REDIS_CLUSTER_ADDRESSES: `localhost:${seed.port}`,
      REDIS_CLUSTER_TLS_CA_FILE: certificates.valid.caFile,
    };
    let found: string[] = [];
    // A replica is announced only once its offset is known.
    while (found.length < 6) found = textsOf(await examined(environment), "redis.cluster.addresses");
    expect(found).to.have.length(6);
    for (const { port } of cluster.nodes)
      expect(found.join("\n")).to.include(`warning 127.0.0.1:${port} shows a certificate that is valid until`);
  });
});
