import { expect } from "chai";
import type { Container, Health } from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisCluster,
  startMysqlServer,
  startRedisCluster,
} from "../../../src/testing/index.js";
import { untilHealth, withContainer } from "./healthOf.js";

for (const requireFullCoverage of [true, false]) {
  describe(`health of a cluster that ${requireFullCoverage ? "requires" : "does without"} full coverage`, function () {
    this.timeout(120_000);
    let mysql: MysqlServer;
    let cluster: RedisCluster;
    let environment: Record<string, string>;

    before(async () => {
      const starting = startRedisCluster({ nodeTimeoutMs: 1_500, requireFullCoverage });
      [mysql, cluster] = await Promise.all([startMysqlServer(), starting]);
      ({ environment } = await createDatabase({ ...mysql.environment, ...cluster.environment }));
    });
    after(() => Promise.all([mysql?.stop(), cluster?.stop()]));

    const untilReady = (container: Container) => untilHealth(container, ({ ready }) => ready, 60_000);

    it("is not ready while a slot has no master: up, and it says so", () =>
      withContainer(environment, async (container) => {
        const owner = await cluster.masterOf("room-stream:m");
        const slot = Number(await owner.call("CLUSTER", "KEYSLOT", "room-stream:m"));
        const masters = await mastersOf(cluster);
        await Promise.all(masters.map((node) => node.call("CLUSTER", "DELSLOTS", slot)));
        const unserved = await untilHealth(container, ({ redis }) => redis.cluster?.slotsServed === 16_383);
        expect(unserved).to.include({ live: true, ready: false });
        expect(unserved.redis.status).to.equal("up");
        await owner.call("CLUSTER", "ADDSLOTS", slot);
        await untilReady(container);
      }));

    it("is not ready while a master and its replica are gone, and ready when they are back", () =>
      withContainer(environment, async (container) => {
        await cluster.untilHealthy();
        const [master, replica] = [await cluster.masterOf("room-stream:n"), await cluster.replicaOf("room-stream:n")];
        await Promise.all([master.kill(), replica.kill()]);
        const third = 16_384 / 3;
        const lost = ({ redis }: Health) => (redis.cluster?.slotsServed ?? 16_384) < 2.5 * third;
        const { ready, problems, redis } = await untilHealth(container, lost);
        expect({ ready, status: redis.status }).to.deep.equal({ ready: false, status: "up" });
        expect(redis.cluster?.slotsServed).to.be.within(2 * third - 2, 2 * third + 1);
        const says = redis.cluster?.ok ? "" : " and says that it is down";
        const served = redis.cluster?.slotsServed;
        expect(problems).to.deep.equal([
          `Redis: the cluster serves ${served} of 16384 slots${says}: check its masters`,
        ]);
        await Promise.all([master.restart(), replica.restart()]);
        await untilReady(container);
      }));

    // Nothing in these depends on it.
    if (!requireFullCoverage) return;

    it("tells its state, and the nodes that the client knows", () =>
      withContainer(environment, async (container) => {
        // The test before has killed a shard. Redis names a replica to clients once it has caught up.
        await cluster.untilHealthy();
        const settled = ({ ready, redis }: Health) => ready && (redis.cluster?.replicas ?? 0) > 0;
        const health = await untilHealth(container, settled, 60_000);
        const { ready, redis } = health;
        expect(redis.cluster?.replicas).to.be.at.most(3);
        expect({ ready, ...redis, latencyMs: 0 }).to.deep.equal({
          ready: true,
          status: "up",
          latencyMs: 0,
          error: undefined,
          mode: "cluster",
          version: cluster.version,
          role: undefined,
          masterLink: undefined,
          cluster: { ok: true, slotsServed: 16_384, masters: 3, replicas: redis.cluster?.replicas },
          client: { status: "ready", inFlight: 0, waiting: 0, limit: 1_000, queuedBytes: 0 },
        });
      }));

    it("is ready again when a replica has taken over", () =>
      withContainer(environment, async (container) => {
        await cluster.untilHealthy();
        const master = await cluster.masterOf("room-stream:n");
        await master.kill();
        await untilHealth(container, ({ ready }) => !ready);
        const after = await untilReady(container);
        expect(after.redis.cluster).to.include({ ok: true, slotsServed: 16_384 });
        await master.restart();
        await untilReady(container);
      }));
  });
}

async function mastersOf(cluster: RedisCluster) {
  const roles = await Promise.all(cluster.nodes.map((node) => node.role()));
  return cluster.nodes.filter((_, i) => roles[i] === "master");
}
