import { expect } from "chai";
import { migrations } from "../../../migrations/index.js";
import { BackpressureError, healthResponse } from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
  type TestDatabase,
} from "../../../src/testing/index.js";
import { failureOf } from "../mysql/testDataSource.js";
import { lateness } from "../redis/openClient.js";
import { asAdmin, makeContainer, untilHealth, withContainer } from "./healthOf.js";

const NEWEST = String(migrations.at(-1)?.name);
/** How long a store may take to answer. */
const DEADLINE_MS = 2_000;

describe("health", function () {
  this.timeout(120_000);
  let mysql: MysqlServer;
  let redis: RedisServer;
  let database: TestDatabase;
  let environment: Record<string, string>;

  before(async () => {
    const users = ["app on >app-secret ~* &* +@all"];
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer({ users })]);
    const login = { REDIS_CLUSTER_USERNAME: "app", REDIS_CLUSTER_PASSWORD: "app-secret" };
    database = await createDatabase({ ...mysql.environment, ...redis.environment, ...login });
    environment = database.environment;
  });
  after(() => Promise.all([mysql?.stop(), redis?.stop()]));

  const adminEnvironment = () => ({
    ...environment,
    MYSQL_USERNAME: mysql.admin.username,
    MYSQL_PASSWORD: mysql.admin.password,
  });

  it("tells what each store is", () =>
    withContainer(adminEnvironment(), async (container) => {
      const health = await container.health();
      expect(health).to.deep.include({ live: true, ready: true, state: "ready", problems: [], warnings: [] });
      const { latencyMs, version, ...mysqlRest } = health.mysql;
      expect(latencyMs).to.be.within(0.1, DEADLINE_MS);
      expect(mysql.version).to.include(String(version).split("-")[0]);
      expect(mysqlRest).to.deep.equal({
        status: "up",
        error: undefined,
        readOnly: false,
        replication: { role: "none" },
        schema: { known: NEWEST, applied: NEWEST, pending: 0, ahead: false },
        pool: { used: 0, idle: 1, waiting: 0, limit: 100 },
      });
      const { latencyMs: redisMs, ...redisRest } = health.redis;
      expect(redisMs).to.be.within(0.1, DEADLINE_MS);
      expect(redisRest).to.deep.equal({
        status: "up",
        error: undefined,
        mode: "single",
        version: redis.version,
        role: "master",
        masterLink: undefined,
        cluster: undefined,
        client: { status: "ready", inFlight: 0, waiting: 0, limit: 1_000, queuedBytes: 0 },
      });
    }));

  it("is neither ready nor asked of anybody before start(); after stop() it is not live either", async () => {
    const container = makeContainer(environment);
    expect(await container.health()).to.deep.include({
      live: true,
      ready: false,
      problems: ["the container is new"],
      mysql: { status: "down", latencyMs: 0, error: "the container is new", pool: undefined },
    });
    await container.start();
    await container.stop();
    expect(await container.health()).to.include({ live: false, ready: false, state: "stopped" });
  });

  it("is not live after a failed start", async () => {
    const container = makeContainer({ ...environment, MYSQL_PASSWORD: "wrong" });
    await container.start().catch(() => undefined);
    expect(await container.health()).to.include({ live: false, ready: false, state: "stopped" });
  });

  it("says unknown where the user may not see replication, which is no error", () =>
    withContainer(environment, async (container) => {
      const health = await container.health();
      expect(health.ready).to.equal(true);
      expect(health.mysql).to.deep.include({ replication: { role: "unknown" }, error: undefined });
    }));

  describe("asks each store once", () => {
    const LOG = "SELECT COUNT(*) AS n FROM mysql.general_log WHERE argument LIKE 'SELECT VERSION%read_only%'";
    const counted = async () => {
      const [row] = await asAdmin(mysql, LOG);
      const stats = String(await redis.call("INFO", "commandstats"));
      return { mysql: Number(row?.n), redis: Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0) };
    };

    before(() => asAdmin(mysql, "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON"));
    after(() => asAdmin(mysql, "SET GLOBAL general_log = OFF", "TRUNCATE mysql.general_log"));

    it("for a thousand probes that come together", () =>
      withContainer(environment, async (container) => {
        const before = await counted();
        const healths = await Promise.all(Array.from({ length: 1_000 }, () => container.health()));
        expect(new Set(healths.map(({ ready }) => ready))).to.deep.equal(new Set([true]));
        const after = await counted();
        expect({ mysql: after.mysql - before.mysql, redis: after.redis - before.redis }).to.deep.equal({
          mysql: 1,
          redis: 1,
        });
      }));

    it("for those that come within healthMaxAgeMs, and after that again", async () => {
      const asked = async (maxAgeMs: number) =>
        withContainer(
          environment,
          async (container) => {
            const before = await counted();
            for (let i = 0; i < 5; i += 1) await container.health();
            const after = await counted();
            return [after.mysql - before.mysql, after.redis - before.redis];
          },
          maxAgeMs,
        );
      expect(await asked(60_000)).to.deep.equal([1, 1]);
      expect(await asked(0)).to.deep.equal([5, 5]);
    });

    it("and never for liveness", () =>
      withContainer(environment, async (container) => {
        const before = await counted();
        expect(await healthResponse(container, "/livez")).to.include({ status: 200 });
        expect(await counted()).to.deep.equal(before);
      }));
  });

  it("knows at once that the container stops, whatever the stores answered before", async () => {
    const container = makeContainer(environment, 60_000);
    await container.start();
    expect(await container.health()).to.include({ ready: true });
    const stopping = container.stop();
    const health = await container.health();
    await stopping;
    expect(health).to.deep.include({
      live: true,
      ready: false,
      state: "stopping",
      problems: ["the container is stopping"],
    });
  });

  it("asks the stores of a new start, not those of the one before", async () => {
    const container = makeContainer(environment, 60_000);
    await container.start();
    await container.health();
    await container.stop();
    await container.start();
    const health = await container.health();
    await container.stop();
    expect(health.mysql.pool).to.deep.include({ used: 0, idle: 1 });
    expect(health.ready).to.equal(true);
  });

  it("does not take a pool for down in which every connection is in use", () =>
    withContainer({ ...environment, MYSQL_OPEN_CONNECTIONS: "1" }, async (container) => {
      let letGo = () => {};
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      let begun = () => {};
      const holding = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const held = container.transaction(async () => {
        begun();
        await gate;
      });
      await holding;
      const waiting = container.repositories.meetings.exists("m");
      const { ready, mysql: told } = await container.health();
      expect({ ready, pool: told.pool }).to.deep.equal({
        ready: true,
        pool: { used: 1, idle: 1, waiting: 1, limit: 1 },
      });
      letGo();
      await Promise.all([held, waiting]);
    }));

  it("does not take a client for down in which every place in flight is taken", () =>
    withContainer(
      { ...environment, REDIS_CLUSTER_POOL_SIZE: "1", REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: "2" },
      async (container) => {
        // All in one turn: one is in flight and one waits, so that a third one is refused.
        const push = () => container.redis.pushToStream("room-stream:busy", { name: "x" });
        const pushes = [push(), push()];
        const asking = container.health();
        expect(await failureOf(push())).to.be.instanceOf(BackpressureError);
        expect(await asking).to.include({ ready: true });
        await Promise.all(pushes);
      },
    ));

  for (const store of ["mysql", "redis"] as const) {
    const server = () => (store === "mysql" ? mysql : redis);
    const other = store === "mysql" ? "redis" : "mysql";

    it(`stays live and says why it is not ready while ${store} is killed, and is ready when it is back`, () =>
      withContainer(environment, async (container) => {
        await server().kill();
        try {
          const down = await container.health();
          expect(down).to.include({ live: true, ready: false, state: "ready" });
          expect(down[store].status).to.equal("down");
          expect(down[other].status).to.equal("up");
          expect(down.mysql.pool?.idle).to.equal(store === "mysql" ? 0 : 1);
          const name = { mysql: "MySQL", redis: "Redis" }[store];
          expect(down.problems).to.deep.equal([`${name}: ${down[store].error}`]);
          // Refused by the system, or accepted by a proxy that hangs up.
          expect(down[store].error).to.match(/ECONNREFUSED|ECONNRESET|EPIPE|closed|lost/);
        } finally {
          await server().restart();
        }
        await untilHealth(container, ({ ready }) => ready);
      }));

    it(`tells in time that ${store} is frozen, and liveness at once`, () =>
      withContainer(environment, async (container) => {
        await server().pause();
        try {
          const asking = container.health();
          const late = lateness(asking, DEADLINE_MS);
          const first = await Promise.race([healthResponse(container, "/livez"), asking]);
          expect(first).to.include({ status: 200 });
          expect(await late, "beyond 2 s").to.be.below(1_000);
          const health = await asking;
          expect(health).to.include({ live: true, ready: false });
          expect(health[store]).to.include({ status: "down" });
          expect(health[other]).to.include({ status: "up" });
        } finally {
          await server().resume();
        }
        await untilHealth(container, ({ ready }) => ready);
      }));
  }

  describe("compares the schema", () => {
    it("with migrations that the database lacks: not ready", () =>
      withContainer(environment, async (container) => {
        const { dataSource } = container;
        const [row] = await dataSource.query("SELECT * FROM migrations WHERE name = ?", [NEWEST]);
        await dataSource.query("DELETE FROM migrations WHERE name = ?", [NEWEST]);
        try {
          const { live, ready, problems, mysql: told } = await container.health();
          expect({ live, ready }).to.deep.equal({ live: true, ready: false });
          expect(told.schema).to.deep.equal({
            known: NEWEST,
            applied: migrations.at(-2)?.name,
            pending: 1,
            ahead: false,
          });
          expect(problems).to.deep.equal([
            "MySQL: the schema lacks 1 of this version's migrations: run doordarshan-data migrate up",
          ]);
        } finally {
          await dataSource.query(
            "INSERT INTO migrations (id, timestamp, name, checksum, applied_at) VALUES (?, ?, ?, ?, ?)",
            [row.id, row.timestamp, row.name, row.checksum, row.applied_at],
          );
        }
        expect(await container.health()).to.include({ ready: true });
      }));

    it("with migrations of a newer version: ready, with a warning", () =>
      withContainer(environment, async (container) => {
        const { dataSource } = container;
        const later = "AddWhatIsToCome9999999999999";
        await dataSource.query("INSERT INTO migrations (timestamp, name) VALUES (9999999999999, ?)", [later]);
        try {
          const { ready, warnings, mysql: told } = await container.health();
          expect(told.schema).to.deep.equal({ known: NEWEST, applied: later, pending: 0, ahead: true });
          expect({ ready, warnings }).to.deep.equal({
            ready: true,
            warnings: ["MySQL: a newer version of this package has migrated the schema"],
          });
        } finally {
          await dataSource.query("DELETE FROM migrations WHERE name = ?", [later]);
        }
      }));

    it("which is not ready either while the user may not read it", async () => {
      const history = `\`${database.name}\`.migrations`;
      await asAdmin(mysql, "CREATE USER reader IDENTIFIED BY 'reader-secret'", `GRANT SELECT ON ${history} TO reader`);
      const reader = { ...environment, MYSQL_USERNAME: "reader", MYSQL_PASSWORD: "reader-secret" };
      await withContainer(reader, async (container) => {
        expect(await container.health()).to.include({ ready: true });
        await asAdmin(
          mysql,
          `REVOKE SELECT ON ${history} FROM reader`,
          `GRANT SELECT ON \`${database.name}\`.meeting_status TO reader`,
        );
        const { ready, problems, mysql: told } = await container.health();
        expect(ready).to.equal(false);
        expect(told).to.deep.include({ status: "up", schema: undefined });
        expect(told.error).to.match(/SELECT command denied.*migrations/);
        expect(problems).to.deep.equal([`MySQL: ${told.error}`]);
      });
      await asAdmin(mysql, "DROP USER reader");
    });
  });

  it("says that MySQL is read-only, which answers and so is ready", () =>
    withContainer(environment, async (container) => {
      await asAdmin(mysql, "SET GLOBAL read_only = ON");
      try {
        const { ready, warnings, mysql: told } = await container.health();
        expect({ ready, readOnly: told.readOnly, warnings }).to.deep.equal({
          ready: true,
          readOnly: true,
          warnings: ["MySQL is read-only: writes fail"],
        });
      } finally {
        await asAdmin(mysql, "SET GLOBAL read_only = OFF");
      }
    }));

  it("tells what the Redis user may not ask: up, and not known to be well", () =>
    withContainer(environment, async (container) => {
      await redis.call("ACL", "SETUSER", "app", "-info");
      try {
        const { ready, redis: told } = await container.health();
        expect({ ready, status: told.status, version: told.version }).to.deep.equal({
          ready: false,
          status: "up",
          version: undefined,
        });
        expect(told.error).to.match(/INFO.*(NOPERM|permissions)/);
        await redis.call("ACL", "SETUSER", "app", "-ping");
        expect((await container.health()).redis).to.include({ status: "down" });
      } finally {
        await redis.call("ACL", "SETUSER", "app", "+@all");
      }
      await untilHealth(container, ({ ready }) => ready);
    }));

  it("follows a Redis that becomes a replica, and the link to its master", async () => {
    const master = await startRedisServer();
    try {
      await withContainer(environment, async (container) => {
        await redis.call("CONFIG", "SET", "masteruser", master.admin.username, "masterauth", master.admin.password);
        await redis.call("REPLICAOF", master.peerHost, master.port);
        const linked = await untilHealth(container, ({ redis: told }) => told.masterLink === "up");
        expect(linked.redis.role).to.equal("replica");
        expect(linked.warnings).to.deep.equal(["Redis is a replica: writes fail"]);
        await master.kill();
        const cut = await untilHealth(container, ({ redis: told }) => told.masterLink === "down");
        expect(cut.warnings).to.include("Redis has lost its master: what it holds is old");
        await redis.call("REPLICAOF", "NO", "ONE");
        await untilHealth(container, ({ redis: told }) => told.role === "master");
      });
    } finally {
      await master.stop();
    }
  });
});
