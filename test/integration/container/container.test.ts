import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { expect } from "chai";
import {
  ClientNilError,
  ConfigNilError,
  type Container,
  type ContainerOptions,
  createContainer,
  type DataConfig,
  InvalidInputError,
  loadConfig,
  MeetingStatus,
  OperationAbortedError,
  StartupError,
} from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
  type TestDatabase,
} from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { recordingLogger } from "../../support/recordingLogger.js";

const CANARY = "canary-s3cret";

describe("the container", () => {
  let mysql: MysqlServer;
  let redis: RedisServer;
  let database: TestDatabase;
  let environment: Record<string, string>;
  const containers: Container[] = [];

  before(async function () {
    this.timeout(120_000);
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    database = await createDatabase({ ...mysql.environment, ...redis.environment });
    environment = database.environment;
  });

  afterEach(async () => {
    await Promise.all([mysql.resume(), redis.resume()]);
    await Promise.all(containers.splice(0).map((container) => container.stop()));
    expect(await connections(), "connections left open").to.deep.equal({ mysql: 0, redis: 0 });
  });

  after(async () => {
    await Promise.all([mysql?.stop(), redis?.stop()]);
  });

  function make(changes: Record<string, string> = {}, options: ContainerOptions = {}): Container {
    return makeFrom(loadConfig({ ...environment, ...changes }), options);
  }

  function makeFrom(config: DataConfig, options: ContainerOptions = {}): Container {
    const container = createContainer(config, { logger: recordingLogger(), ...options });
    containers.push(container);
    return container;
  }

  /** Client connections that the servers see, those of this question apart. The servers notice a closed socket a moment later. */
  async function connections(): Promise<{ mysql: number; redis: number }> {
    const giveUp = performance.now() + 2_000;
    for (;;) {
      const clients =
        String(await redis.call("CLIENT", "LIST"))
          .trim()
          .split("\n").length - 1;
      const seen = { mysql: (await mysqlConnections()) - 1, redis: clients };
      if ((seen.mysql === 0 && seen.redis === 0) || performance.now() > giveUp) return seen;
    }
  }

  async function mysqlConnections(): Promise<number> {
    const { createConnection } = await import("mysql2/promise");
    const { username: user, password } = mysql.admin;
    const connection = await createConnection({ host: mysql.host, port: mysql.port, user, password });
    try {
      const [rows] = await connection.query(
        "SELECT COUNT(*) AS open FROM information_schema.processlist WHERE user IN (?, ?)",
        [user, environment.MYSQL_USERNAME],
      );
      return Number((rows as { open: number }[])[0]?.open);
    } finally {
      await connection.end();
    }
  }

  async function startFailure(container: Container): Promise<StartupError> {
    const began = performance.now();
    const error = await container.start().then(
      () => expect.fail("start() should have failed"),
      (reason: unknown) => reason,
    );
    expect(performance.now() - began, "time until start() failed").to.be.below(10_000);
    expect(error).to.be.instanceOf(StartupError);
    return error as StartupError;
  }

  it("boots both stores, tells their health, and closes them", async () => {
    const container = make();
    expect(container.state).to.equal("new");
    await container.start();
    expect(container.state).to.equal("ready");
    const health = await container.health();
    expect(health).to.deep.include({ ready: true, state: "ready" });
    expect([health.mysql.status, health.redis.status]).to.deep.equal(["up", "up"]);
    expect(health.mysql.latencyMs).to.be.above(0);
    const inserted = await container.transaction(async ({ manager }) => {
      await manager.insert(MeetingStatus, { meetingId: "m-boot", enabled: 1 });
      return manager.countBy(MeetingStatus, { meetingId: "m-boot" });
    });
    expect(inserted).to.equal(1);
    expect(await container.repositories.meetings.exists("m-boot")).to.equal(true);
    expect(await container.redis.pushToStream("room-stream:m-boot", { name: "x" })).to.match(/^\d+-\d+$/);
    await container.stop();
    expect(container.state).to.equal("stopped");
    expect(await container.health()).to.deep.include({ ready: false, state: "stopped" });
  });

  it("refuses to be made without a configuration", () => {
    expect(() => createContainer(undefined as unknown as DataConfig))
      .to.throw(ConfigNilError)
      .with.property("code", "ErrConfigNil");
  });

  it("has no members before start() and after stop()", async () => {
    const container = make();
    const members = ["dataSource", "repositories", "redis", "signals"] as const;
    for (const member of members) expect(() => container[member]).to.throw(ClientNilError, "is new");
    await container.start();
    await container.stop();
    for (const member of members) expect(() => container[member]).to.throw(ClientNilError, "is stopped");
    const refused = await container.transaction(async () => {}).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ClientNilError).with.property("code", "ErrClientNil");
  });

  it("takes start() and stop() in any number and order", async () => {
    const container = make();
    await container.stop();
    await Promise.all([container.start(), container.start()]);
    await container.start();
    expect(container.state).to.equal("ready");
    await Promise.all([container.stop(), container.stop()]);
    await container.stop();
    await container.start();
    expect((await container.health()).ready).to.equal(true);
    // A start that is asked for while stopping begins when it has stopped.
    const stopping = container.stop();
    await container.start();
    await stopping;
    expect(container.state).to.equal("ready");
    // What was asked for last is what counts.
    const [, overtaken] = [
      container.stop(),
      container.start().catch((error: unknown) => error),
      await container.stop(),
    ];
    expect(await overtaken).to.be.instanceOf(StartupError);
    expect(container.state).to.equal("stopped");
  });

  it("refuses options that make no sense", () => {
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      expect(() => make({}, { startTimeoutMs: ms })).to.throw(InvalidInputError, "startTimeoutMs");
      expect(() => make({}, { stopTimeoutMs: ms })).to.throw(InvalidInputError, "stopTimeoutMs");
    }
    for (const ms of [-1, Number.NaN, 60_001])
      expect(() => make({}, { healthMaxAgeMs: ms })).to.throw(InvalidInputError, "healthMaxAgeMs");
    expect(() => make({}, { migrations: "yes" as "run" })).to.throw(InvalidInputError, "migrations");
  });

  it("runs pending migrations when asked, from many instances at once, and refuses to start with them otherwise", async () => {
    const name = `${database.name}_b`;
    await asAdmin(`CREATE DATABASE \`${name}\``);
    const error = await startFailure(make({ MYSQL_DB_NAME: name }));
    expect(error).to.include({ stage: "schema", store: "mysql" });
    expect(error.cause).to.have.property("code", "ErrPendingMigrations");
    const instances = [1, 2, 3, 4].map(() => make({ MYSQL_DB_NAME: name }, { migrations: "run" }));
    await Promise.all(instances.map((instance) => instance.start()));
    expect(instances.map((instance) => instance.state)).to.deep.equal(["ready", "ready", "ready", "ready"]);
  });

  async function asAdmin(statement: string): Promise<void> {
    const { createConnection } = await import("mysql2/promise");
    const { username: user, password } = mysql.admin;
    const connection = await createConnection({ host: mysql.host, port: mysql.port, user, password });
    await connection.query(statement).finally(() => connection.end());
  }

  describe("fails fast, says where, and leaves nothing open:", () => {
    const closedPort = "1";
    const cases: [
      what: string,
      changes: Record<string, string>,
      stage: string,
      store: string,
      code: string,
      says: RegExp,
    ][] = [
      [
        "no secret file",
        { MYSQL_SECRET_FILE: "/nonexistent/creds" },
        "credentials",
        "mysql",
        "ErrCredential",
        /MYSQL_SECRET_FILE.*\/nonexistent\/creds/,
      ],
      [
        "no Redis secret file",
        { REDIS_CLUSTER_SECRET_FILE: "/nonexistent/creds" },
        "credentials",
        "redis",
        "ErrCredential",
        /REDIS_CLUSTER_SECRET_FILE/,
      ],
      ["no MySQL server", { MYSQL_PORT: closedPort }, "mysql", "mysql", "ErrPingingMysql", /MYSQL_ENDPOINT|reach/],
      ["a wrong MySQL password", { MYSQL_PASSWORD: CANARY }, "mysql", "mysql", "ErrPingingMysql", /password/i],
      [
        "no such database",
        { MYSQL_DB_NAME: "doordarshan_none" },
        "mysql",
        "mysql",
        "ErrPingingMysql",
        /doordarshan_none|MYSQL_DB_NAME/,
      ],
      [
        "no Redis server",
        { REDIS_CLUSTER_ADDRESSES: `127.0.0.1:${closedPort}` },
        "redis",
        "redis",
        "ErrPingingRedisCluster",
        /REDIS_CLUSTER_ADDRESSES|reach/,
      ],
      [
        "a wrong Redis password",
        { REDIS_CLUSTER_USERNAME: "app", REDIS_CLUSTER_PASSWORD: CANARY },
        "redis",
        "redis",
        "ErrPingingRedisCluster",
        /password/i,
      ],
      [
        "cluster mode on a single instance",
        { REDIS_CLUSTER_MODE_ON: "true" },
        "redis",
        "redis",
        "ErrPingingRedisCluster",
        /REDIS_CLUSTER_MODE_ON/,
      ],
    ];
    for (const [what, changes, stage, store, code, says] of cases) {
      it(what, async () => {
        const logger = recordingLogger();
        const container = make(changes, { logger });
        const error = await startFailure(container);
        expect(error).to.include({ code: "ErrStartup", stage, store });
        expect(error.cause).to.have.property("code", code);
        expect(error.message).to.match(says);
        for (const shown of [
          inspect(error, { depth: 9 }),
          JSON.stringify(error),
          inspect(logger.lines, { depth: 9 }),
        ]) {
          expect(shown).not.to.include(CANARY);
          expect(shown).not.to.include(environment.MYSQL_PASSWORD);
        }
        expect(container.state).to.equal("stopped");
      });
    }

    it("a MySQL server that accepts and says nothing", async () => {
      await mysql.pause();
      const error = await startFailure(make({}, { startTimeoutMs: 2_000 }));
      expect(error).to.include({ stage: "mysql", store: "mysql" });
    });

    it("a Redis server that accepts and says nothing", async () => {
      await redis.pause();
      const error = await startFailure(make({}, { startTimeoutMs: 2_000 }));
      expect(error).to.include({ stage: "redis", store: "redis" });
    });
  });

  describe("stop()", () => {
    let proxy: TcpProxy;

    before(async () => {
      proxy = await startProxy(mysql);
    });

    after(() => proxy.stop());

    it("ends a start that is under way", async () => {
      proxy.freeze();
      const container = make({
        MYSQL_ENDPOINT: proxy.host,
        MYSQL_PORT: String(proxy.port),
        MYSQL_CONNECT_TIMEOUT_IN_SECS: "2",
      });
      const starting = container.start().catch((error: unknown) => error);
      const began = performance.now();
      await container.stop();
      expect(performance.now() - began).to.be.below(5_000);
      expect(await starting).to.be.instanceOf(StartupError);
      proxy.thaw();
      expect(container.state).to.equal("stopped");
    });

    it("ends a start at its next stage when the servers answer", async () => {
      const container = make();
      const starting = container.start().catch((error: unknown) => error);
      await container.stop();
      const error = await starting;
      expect(error).to.be.instanceOf(StartupError).with.property("cause").that.is.instanceOf(OperationAbortedError);
    });

    it("lets a pending transaction finish, its signal included, and takes no new one", async () => {
      const container = make();
      await container.start();
      let proceed = () => {};
      const gate = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      const pending = container.transaction(async ({ manager }) => {
        await gate;
        await manager.insert(MeetingStatus, { meetingId: "m-pending", enabled: 1 });
        return container.redis.pushToStream("room-stream:m-pending", { name: "x" });
      });
      const stopping = container.stop();
      expect(container.state).to.equal("stopping");
      const refused = await container.transaction(async () => {}).catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(ClientNilError);
      proceed();
      expect(await pending).to.match(/^\d+-\d+$/);
      await stopping;
    });

    it("ends subscriptions before it waits for what is pending", async () => {
      const [reader, writer] = [make(), make()];
      await Promise.all([reader.start(), writer.start()]);
      const heard: string[] = [];
      await reader.redis.subscribe("news", (message) => void heard.push(message));
      let proceed = () => {};
      const gate = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      const pending = reader.transaction(() => gate);
      const stopping = reader.stop();
      let reached = await writer.redis.publish("news", "late");
      while (reached > 0) reached = await writer.redis.publish("news", "late");
      heard.length = 0;
      await writer.redis.publish("news", "too late");
      proceed();
      await Promise.all([pending, stopping]);
      expect(heard).to.deep.equal([]);
    });

    it("cuts off a transaction that does not end", async () => {
      const container = make({}, { stopTimeoutMs: 500 });
      await container.start();
      // Idle in a transaction: a statement that runs would outlive its client on the server.
      const endless = container
        .transaction(({ manager }) => manager.query("SELECT 1").then(() => new Promise(() => {})))
        .catch((error: unknown) => error);
      const began = performance.now();
      await container.stop();
      expect(performance.now() - began).to.be.below(2_000);
      expect(await endless)
        .to.be.instanceOf(Error)
        .with.property("code");
    });

    for (const store of ["mysql", "redis"] as const) {
      it(`is bounded while ${store} is frozen`, async () => {
        const container = make();
        await container.start();
        await (store === "mysql" ? mysql : redis).pause();
        const unanswered =
          store === "mysql"
            ? container.dataSource.query("SELECT 1").catch((error: unknown) => error)
            : container.redis.pushToStream("room-stream:m-frozen", { name: "x" }).catch((error: unknown) => error);
        const began = performance.now();
        await container.stop();
        expect(performance.now() - began).to.be.below(6_000);
        expect(await unanswered)
          .to.be.instanceOf(Error)
          .with.property("code");
      });
    }
  });

  it("says which store is down, in time, and that it is up again", async () => {
    const container = make({}, { healthMaxAgeMs: 0 });
    await container.start();
    await redis.pause();
    const began = performance.now();
    const health = await container.health();
    expect(performance.now() - began).to.be.below(3_500);
    expect(health).to.include({ ready: false, state: "ready" });
    expect(health.mysql.status).to.equal("up");
    expect(health.redis).to.include({ status: "down" }).and.have.property("error").that.is.a("string");
    await redis.resume();
    let again = await container.health();
    while (!again.ready) again = await container.health();
    expect(again.redis.status).to.equal("up");
  });

  it("stops on SIGTERM when asked to, and the process ends by that signal", async () => {
    const fixture = fileURLToPath(new URL("./fixtures/service.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", fixture], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line === "ready") child.kill("SIGTERM");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(lines).to.deep.equal(["ready", "stopping on SIGTERM", "stopped"]);
    expect(child.signalCode).to.equal("SIGTERM");
  });
});
