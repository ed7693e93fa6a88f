import { inspect } from "node:util";
import { expect } from "chai";
import { type DataConfig, loadConfig, loadMysqlConfig, variables } from "../../../src/config/index.js";
import { ConfigError, ConfigNilError } from "../../../src/errors.js";
import { kendra, kendraParts, minimal } from "./environments.js";

const CANARY = "canary-Zq8!";

function load(changes: Record<string, string | undefined>, base = minimal): DataConfig {
  return loadConfig({ ...base, ...changes });
}

function problemsOf(changes: Record<string, string | undefined>, base = minimal): string[] {
  try {
    load(changes, base);
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return (error as ConfigError).problems.map(({ variable, problem }) => `${variable} ${problem}`);
  }
  return [];
}

function noticesOf(changes: Record<string, string>, base = minimal): string[] {
  return load(changes, base).notices.map(({ level, variable, message }) => `${level} ${variable} ${message}`);
}

describe("loadConfig", () => {
  describe("a running Kendra's env file", () => {
    it("loads unchanged with a connection string", () => {
      const { mysql, redis } = loadConfig(kendra);
      expect(mysql).to.deep.include({ database: "doordarshan", maxConnections: 100, tls: undefined });
      expect(mysql.address).to.deep.equal({ host: "127.0.0.1", port: 3306 });
      expect(mysql.credentials).to.deep.include({ kind: "variables", username: "root", password: undefined });
      expect(redis).to.deep.equal({
        mode: "cluster",
        addresses: [{ host: "127.0.0.1", port: 7000 }],
        name: undefined,
        credentials: {
          kind: "variables",
          variable: "REDIS_CLUSTER_PASSWORD",
          username: undefined,
          password: undefined,
        },
        tls: undefined,
        dialTimeoutMs: 5_000,
        readTimeoutMs: 5_000,
        writeTimeoutMs: 5_000,
        poolTimeoutMs: 60_000,
        maxInFlight: 1_000,
        maxWaiting: 9_000,
        connectAllAtStart: true,
        maxRetries: 3,
        streamTtlMs: 168 * 3_600_000,
        streamMaxLength: 10_000,
        maxPayloadBytes: 262_144,
        maxQueuedBytes: 16_777_216,
        followSweepMs: 10_000,
        enableNotifications: true,
        slowOperationMs: 1_000,
      });
    });

    it("tells of each variable that has no effect, and of no other part's", () => {
      const notices = loadConfig(kendra).notices.filter(({ message }) => message.includes("no effect"));
      expect(notices.map(({ level, variable }) => `${level} ${variable}`)).to.have.members([
        "info REDIS_CLUSTER_POOL_FIFO",
        "info REDIS_CLUSTER_MAX_IDLE_CONNECTIONS",
        "info REDIS_CLUSTER_CONNECTION_MAX_IDLE_TIME_IN_SECS",
        "info REDIS_CLUSTER_CONNECTION_MAX_LIFETIME_IN_SECS",
        "info REDIS_CLUSTER_AWS_REGION",
        "info REDIS_CLUSTER_SKIP_VERIFY",
      ]);
      expect(JSON.stringify(loadConfig(kendra).notices)).not.to.include("SERVER_PORT");
    });

    it("loads unchanged with single variables", () => {
      const { mysql } = loadConfig(kendraParts);
      expect(mysql).to.deep.include({ database: "doordarshan", maxConnections: 100 });
      const { credentials } = mysql;
      expect(credentials).to.deep.include({ kind: "variables", variable: "MYSQL_USERNAME", username: "root" });
      expect(credentials.kind === "variables" && credentials.password?.reveal()).to.equal("password");
    });
  });

  it("reads an environment without a prototype, and one with a __proto__ variable", () => {
    const bare = Object.assign(Object.create(null), minimal);
    expect(loadConfig(bare)).to.deep.equal(loadConfig(minimal));
    const odd = JSON.parse(JSON.stringify(minimal).replace("{", '{"__proto__":"x",'));
    expect(loadConfig(odd)).to.deep.equal(loadConfig(minimal));
  });

  it("reads no inherited property", () => {
    expect(() => loadConfig(Object.create(minimal))).to.throw(ConfigError, "MYSQL_ENDPOINT is required");
  });

  it("says that there is no environment", () => {
    expect(() => loadConfig(null as never)).to.throw(ConfigNilError);
  });

  it("is frozen all through", () => {
    const frozen = (value: object): boolean =>
      Object.isFrozen(value) && Object.values(value).every((member) => !(member instanceof Object) || frozen(member));
    expect(frozen(load({ MYSQL_TLS: "true", REDIS_CLUSTER_PASSWORD: "x" }))).to.equal(true);
  });

  it("shows no secret however it is printed", () => {
    const config = load(
      { MYSQL_PASSWORD: CANARY, REDIS_CLUSTER_PASSWORD: CANARY },
      { ...kendraParts, REDIS_CLUSTER_USERNAME: "user" },
    );
    const string = load({ MYSQL_CONNECTION_STRING: `root:${CANARY}@tcp(db:3306)/d` });
    const url = load({ MYSQL_CONNECTION_STRING: `mysql://root:${CANARY}@db/d` });
    for (const printed of [config, string, url].flatMap((c) => [
      inspect(c, { depth: null, showHidden: true }),
      JSON.stringify(c),
      String(c),
      String((c.mysql.credentials as { password?: unknown }).password),
    ]))
      expect(printed).not.to.include(CANARY);
    expect(inspect(config, { depth: null })).to.include("[redacted]");
  });

  describe("the table of variables", () => {
    it("holds every variable of the founding document and of the issue", () => {
      const names = variables.flatMap(({ name, aliases }) => [name, ...aliases]);
      const founding =
        "MYSQL_CONNECTION_STRING MYSQL_ENDPOINT MYSQL_PORT MYSQL_DB_NAME MYSQL_USERNAME MYSQL_PASSWORD MYSQL_SECRET_FILE " +
        "MYSQL_OPEN_CONNECTIONS REDIS_CLUSTER_MODE_ON REDIS_CLUSTER_ADDRESSES REDIS_CLUSTER_READ_TIMEOUT_IN_SECS " +
        "REDIS_CLUSTER_WRITE_TIMEOUT_IN_SECS REDIS_CLUSTER_DIAL_TIMEOUT_IN_SECS REDIS_CLUSTER_POOL_TIMEOUT_IN_SECS " +
        "REDIS_CLUSTER_POOL_SIZE REDIS_CLUSTER_MIN_IDLE_CONNECTIONS REDIS_CLUSTER_MAX_IDLE_CONNECTIONS " +
        "REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS REDIS_CLUSTER_USERNAME REDIS_CLUSTER_PASSWORD REDIS_CLUSTER_SECRET_FILE " +
        "REDIS_CLUSTER_TLS REDIS_CLUSTER_SKIP_VERIFY";
      const running =
        "MYSQL_CREDENTIALS_SECRET_FILE_PATH MYSQL_MAX_CONNECTIONS REDIS_CLUSTER_CREDENTIALS_SECRET_FILE_PATH " +
        "REDIS_CLUSTER_NAME REDIS_CLUSTER_MAX_RETRIES REDIS_CLUSTER_POOL_FIFO REDIS_CLUSTER_TTL_IN_HOURS " +
        "REDIS_CLUSTER_CONNECTION_MAX_IDLE_TIME_IN_SECS REDIS_CLUSTER_CONNECTION_MAX_LIFETIME_IN_SECS " +
        "REDIS_CLUSTER_POD_ROLE_ARN REDIS_CLUSTER_AWS_REGION";
      expect(names).to.include.members(`${founding} ${running}`.split(" "));
      expect(new Set(names).size).to.equal(names.length);
    });

    it("states defaults that load to the same configuration", () => {
      const defaults = Object.fromEntries(variables.filter((v) => v.default !== "").map((v) => [v.name, v.default]));
      const { mysql, redis } = load(defaults);
      expect({ mysql, redis }).to.deep.equal({ mysql: loadConfig(minimal).mysql, redis: loadConfig(minimal).redis });
    });
  });

  describe("each variable has its effect", () => {
    const effects: readonly [string, string, (config: DataConfig) => unknown, unknown][] = [
      ["MYSQL_OPEN_CONNECTIONS", "7", (c) => [c.mysql.maxConnections, c.mysql.maxIdleConnections], [7, 7]],
      ["MYSQL_MAX_CONNECTIONS", "50", (c) => c.mysql.maxConnections, 50],
      ["MYSQL_MAX_IDLE_CONNECTIONS", "3", (c) => c.mysql.maxIdleConnections, 3],
      ["MYSQL_IDLE_TIMEOUT_IN_SECS", "7", (c) => c.mysql.idleTimeoutMs, 7_000],
      ["MYSQL_CONNECT_TIMEOUT_IN_SECS", "7", (c) => c.mysql.connectTimeoutMs, 7_000],
      ["MYSQL_ACQUIRE_TIMEOUT_IN_SECS", "7", (c) => c.mysql.acquireTimeoutMs, 7_000],
      ["MYSQL_ACQUIRE_QUEUE_LIMIT", "7", (c) => c.mysql.acquireQueueLimit, 7],
      ["MYSQL_QUERY_TIMEOUT_IN_SECS", "7", (c) => c.mysql.queryTimeoutMs, 7_000],
      ["SLOW_OPERATION_IN_MILLISECONDS", "0", (c) => [c.mysql.slowOperationMs, c.redis.slowOperationMs], [0, 0]],
      ["MYSQL_TLS", "true", (c) => c.mysql.tls, { caFile: undefined, verify: true }],
      [
        "MYSQL_SECRET_FILE",
        "/s",
        (c) => c.mysql.credentials,
        { kind: "file", variable: "MYSQL_SECRET_FILE", path: "/s" },
      ],
      [
        "MYSQL_CREDENTIALS_SECRET_FILE_PATH",
        "/s",
        (c) => c.mysql.credentials,
        { kind: "file", variable: "MYSQL_CREDENTIALS_SECRET_FILE_PATH", path: "/s" },
      ],
      [
        "MYSQL_MIGRATION_USERNAME",
        "owner",
        (c) => c.mysql.migrationCredentials,
        { kind: "variables", variable: "MYSQL_MIGRATION_USERNAME", username: "owner", password: undefined },
      ],
      [
        "MYSQL_MIGRATION_SECRET_FILE",
        "/s",
        (c) => c.mysql.migrationCredentials,
        { kind: "file", variable: "MYSQL_MIGRATION_SECRET_FILE", path: "/s" },
      ],
      ["REDIS_CLUSTER_MODE_ON", "F", (c) => c.redis.mode, "single"],
      [
        "REDIS_CLUSTER_ADDRESSES",
        "a.b:1,[::1]:65535",
        (c) => c.redis.addresses,
        [
          { host: "a.b", port: 1 },
          { host: "::1", port: 65_535 },
        ],
      ],
      ["REDIS_CLUSTER_NAME", "kendra-1", (c) => c.redis.name, "kendra-1"],
      ["REDIS_CLUSTER_READ_TIMEOUT_IN_SECS", "7", (c) => c.redis.readTimeoutMs, 7_000],
      ["REDIS_CLUSTER_WRITE_TIMEOUT_IN_SECS", "7", (c) => c.redis.writeTimeoutMs, 7_000],
      ["REDIS_CLUSTER_DIAL_TIMEOUT_IN_SECS", "7", (c) => c.redis.dialTimeoutMs, 7_000],
      ["REDIS_CLUSTER_POOL_TIMEOUT_IN_SECS", "7", (c) => c.redis.poolTimeoutMs, 7_000],
      ["REDIS_CLUSTER_POOL_SIZE", "7", (c) => [c.redis.maxInFlight, c.redis.maxWaiting], [7, 9_993]],
      ["REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS", "1000", (c) => c.redis.maxWaiting, 0],
      ["REDIS_CLUSTER_MIN_IDLE_CONNECTIONS", "0", (c) => c.redis.connectAllAtStart, false],
      ["REDIS_CLUSTER_MAX_RETRIES", "0", (c) => c.redis.maxRetries, 0],
      ["REDIS_CLUSTER_SECRET_FILE", "/s", (c) => c.redis.credentials.kind, "file"],
      ["REDIS_CLUSTER_CREDENTIALS_SECRET_FILE_PATH", "/s", (c) => c.redis.credentials.kind, "file"],
      ["REDIS_CLUSTER_TLS", "1", (c) => c.redis.tls, { caFile: undefined, verify: true }],
      ["REDIS_CLUSTER_TTL_IN_HOURS", "1", (c) => c.redis.streamTtlMs, 3_600_000],
      ["REDIS_STREAM_MAX_LENGTH", "7", (c) => c.redis.streamMaxLength, 7],
      ["REDIS_MAX_PAYLOAD_BYTES", "7", (c) => c.redis.maxPayloadBytes, 7],
      ["REDIS_MAX_QUEUED_BYTES", "7", (c) => c.redis.maxQueuedBytes, 7],
      ["REDIS_FOLLOW_SWEEP_INTERVAL_IN_SECS", "7", (c) => c.redis.followSweepMs, 7_000],
      ["REDIS_FOLLOW_ENABLE_NOTIFICATIONS", "false", (c) => c.redis.enableNotifications, false],
    ];
    for (const [name, value, read, expected] of effects)
      it(`${name}=${value}`, () => expect(read(load({ [name]: value }))).to.deep.equal(expected));

    it("TLS with an authority, and without verification", () => {
      for (const [on, skip, ca, store] of [
        ["MYSQL_TLS", "MYSQL_TLS_SKIP_VERIFY", "MYSQL_TLS_CA_FILE", "mysql"],
        ["REDIS_CLUSTER_TLS", "REDIS_CLUSTER_SKIP_VERIFY", "REDIS_CLUSTER_TLS_CA_FILE", "redis"],
      ] as const) {
        expect(load({ [on]: "true", [ca]: "/ca" })[store].tls).to.deep.equal({ caFile: "/ca", verify: true });
        expect(load({ [on]: "true", [skip]: "true" })[store].tls).to.deep.equal({ caFile: undefined, verify: false });
        expect(noticesOf({ [on]: "true", [skip]: "true" }).join()).to.include(`warn ${skip} is on`);
        const off = noticesOf({ [skip]: "true", [ca]: "/ca" });
        expect(off).to.include.members([
          `info ${skip} has no effect: TLS is off`,
          `info ${ca} has no effect: TLS is off`,
        ]);
      }
    });

    it("MYSQL_ENDPOINT, PORT, DB_NAME, USERNAME and PASSWORD", () => {
      const { mysql } = load({ MYSQL_ENDPOINT: "::1", MYSQL_PORT: "13306", MYSQL_PASSWORD: " p:@/ " }, kendraParts);
      expect(mysql.address).to.deep.equal({ host: "::1", port: 13_306 });
      expect(mysql.credentials.kind === "variables" && mysql.credentials.password?.reveal()).to.equal(" p:@/ ");
    });

    it("REDIS_CLUSTER_USERNAME and PASSWORD", () => {
      const { credentials } = load({ REDIS_CLUSTER_USERNAME: "u", REDIS_CLUSTER_PASSWORD: "p" }).redis;
      expect(credentials).to.deep.include({ kind: "variables", username: "u" });
      expect(credentials.kind === "variables" && credentials.password?.reveal()).to.equal("p");
    });

    it("a Redis user name without a password is not sent, and warned of", () => {
      const user = { REDIS_CLUSTER_USERNAME: "u" };
      expect(load(user).redis.credentials).to.deep.include({ username: undefined, password: undefined });
      expect(noticesOf(user).join()).to.include("warn REDIS_CLUSTER_USERNAME has no effect");
    });

    it("MYSQL_MAX_IDLE_CONNECTIONS above the open ones is capped, and told", () => {
      const idle = { MYSQL_OPEN_CONNECTIONS: "7", MYSQL_MAX_IDLE_CONNECTIONS: "8" };
      expect(load(idle).mysql.maxIdleConnections).to.equal(7);
      expect(noticesOf(idle).join()).to.include("info MYSQL_MAX_IDLE_CONNECTIONS is capped at 7");
      expect(noticesOf({ MYSQL_OPEN_CONNECTIONS: "7" }).join()).not.to.include("capped");
    });

    it("REDIS_CLUSTER_POD_ROLE_ARN is warned of", () => {
      expect(noticesOf({ REDIS_CLUSTER_POD_ROLE_ARN: "arn:x" }).join()).to.include(
        "warn REDIS_CLUSTER_POD_ROLE_ARN has no effect",
      );
    });
  });

  describe("the credentials of the user who migrates", () => {
    const user = { MYSQL_MIGRATION_USERNAME: "owner" };
    const password = { MYSQL_MIGRATION_PASSWORD: ` ${CANARY}:@/ ` };

    it("are the run-time user's when none are given", () => {
      expect(load({}).mysql.migrationCredentials).to.equal(undefined);
    });

    it("are independent of the run-time user's, which a connection string or a secret file may give", () => {
      for (const changes of [{}, { MYSQL_SECRET_FILE: "/other" }]) {
        const { credentials, migrationCredentials: own } = load({ ...user, ...password, ...changes }).mysql;
        expect(own).to.include({ kind: "variables", username: "owner" });
        expect(own?.kind === "variables" && own.password?.reveal()).to.equal(` ${CANARY}:@/ `);
        expect(credentials).to.include(
          changes.MYSQL_SECRET_FILE ? { path: "/other" } : { kind: "variables", username: "root" },
        );
      }
    });

    it("are never shown", () => {
      const config = load({ ...user, ...password });
      for (const printed of [inspect(config, { depth: null, showHidden: true }), JSON.stringify(config)]) {
        expect(printed).to.include("owner");
        expect(printed).not.to.include(CANARY);
      }
    });

    it("a secret file wins over the variables, which are told to have no effect", () => {
      const file = { ...user, ...password, MYSQL_MIGRATION_SECRET_FILE: "/s" };
      expect(load(file).mysql.migrationCredentials).to.include({ kind: "file", path: "/s" });
      expect(noticesOf(file)).to.deep.equal([
        "info MYSQL_MIGRATION_USERNAME has no effect: MYSQL_MIGRATION_SECRET_FILE is set",
        "info MYSQL_MIGRATION_PASSWORD has no effect: MYSQL_MIGRATION_SECRET_FILE is set",
      ]);
    });

    it("a password without a user name is refused", () => {
      expect(problemsOf(password)).to.deep.equal([
        "MYSQL_MIGRATION_PASSWORD is set without MYSQL_MIGRATION_USERNAME, whose password it would be",
      ]);
      expect(problemsOf({ ...password, MYSQL_MIGRATION_SECRET_FILE: "/s" })).to.deep.equal([]);
    });
  });

  describe("loadMysqlConfig", () => {
    const { MYSQL_CONNECTION_STRING } = minimal as { MYSQL_CONNECTION_STRING: string };

    it("reads what loadConfig reads for MySQL", () => {
      const changes = { MYSQL_OPEN_CONNECTIONS: "7", MYSQL_MIGRATION_USERNAME: "owner", MYSQL_TLS_SKIP_VERIFY: "1" };
      const { mysql, notices } = load(changes);
      expect(loadMysqlConfig({ ...minimal, ...changes })).to.deep.equal({ mysql, notices });
    });

    it("reads what holds for both stores", () => {
      const config = loadMysqlConfig({ MYSQL_CONNECTION_STRING, SLOW_OPERATION_IN_MILLISECONDS: "7" });
      expect(config.mysql.slowOperationMs).to.equal(7);
    });

    it("does not look at Redis' variables, be they missing, wrong or unknown", () => {
      const wrong = { REDIS_CLUSTER_MODE_ON: "perhaps", REDIS_CLUSTER_ADRESSES: "x", " REDIS_CLUSTER_NAME": "y" };
      expect(loadMysqlConfig({ MYSQL_CONNECTION_STRING, ...wrong }).notices).to.deep.equal([]);
    });

    it("refuses what is wrong for MySQL, and a missing environment", () => {
      expect(() => loadMysqlConfig({ MYSQL_CONNECTION_STRING, MYSQL_PORT: "x" })).to.throw(ConfigError, "MYSQL_PORT");
      expect(loadMysqlConfig({ MYSQL_CONNECTION_STRING, MYSQL_PRT: "1" }).notices[0]?.message).to.include("MYSQL_PORT");
      expect(() => loadMysqlConfig(null as never)).to.throw(ConfigNilError);
    });

    it("is frozen", () => {
      expect(Object.isFrozen(loadMysqlConfig({ MYSQL_CONNECTION_STRING }).mysql.address)).to.equal(true);
    });
  });

  describe("what wins over what", () => {
    it("a connection string over the single variables, which are told to have no effect", () => {
      const both = { ...kendraParts, MYSQL_CONNECTION_STRING: "other@tcp(elsewhere:1)/d" };
      expect(loadConfig(both).mysql.address).to.deep.equal({ host: "elsewhere", port: 1 });
      const told = noticesOf({}, both).filter((notice) => notice.endsWith("MYSQL_CONNECTION_STRING is set"));
      expect(told).to.have.length(5);
    });

    it("a secret file over both, and it makes a user name unnecessary", () => {
      const file = { MYSQL_SECRET_FILE: "/s" };
      expect(load(file, kendraParts).mysql.credentials).to.deep.include({ kind: "file", path: "/s" });
      expect(noticesOf(file, kendraParts)).to.include("info MYSQL_PASSWORD has no effect: MYSQL_SECRET_FILE is set");
      expect(problemsOf({ ...file, MYSQL_USERNAME: undefined, MYSQL_PASSWORD: undefined }, kendraParts)).to.deep.equal(
        [],
      );
      expect(problemsOf({ ...file, MYSQL_CONNECTION_STRING: "tcp(db)/d" })).to.deep.equal([]);
      expect(load({ ...file, MYSQL_CONNECTION_STRING: "u:p@tcp(db)/d" }).mysql.credentials.kind).to.equal("file");
    });

    it("leaves it to the stores' clients to say which source gives the credentials", () => {
      expect(noticesOf({ REDIS_CLUSTER_SECRET_FILE: "/s" })).to.deep.equal([]);
    });

    it("two spellings may be set if they agree", () => {
      const both = { MYSQL_OPEN_CONNECTIONS: "10", MYSQL_MAX_CONNECTIONS: "10" };
      expect(load(both).mysql.maxConnections).to.equal(10);
      expect(problemsOf({ ...both, MYSQL_MAX_CONNECTIONS: "11" })).to.deep.equal([
        "MYSQL_OPEN_CONNECTIONS and MYSQL_MAX_CONNECTIONS are both set and differ; keep one of them",
      ]);
      expect(load({ MYSQL_SECRET_FILE: "", MYSQL_CREDENTIALS_SECRET_FILE_PATH: "/s" }).mysql.credentials.kind).to.equal(
        "file",
      );
    });
  });

  describe("rules across variables", () => {
    it("without a connection string: endpoint, database and user are required, all told at once", () => {
      expect(problemsOf({ MYSQL_CONNECTION_STRING: undefined, REDIS_CLUSTER_ADDRESSES: undefined })).to.deep.equal([
        "MYSQL_ENDPOINT is required (or MYSQL_CONNECTION_STRING)",
        "MYSQL_DB_NAME is required (or MYSQL_CONNECTION_STRING)",
        "MYSQL_USERNAME is required (or MYSQL_SECRET_FILE)",
        "REDIS_CLUSTER_ADDRESSES is required",
      ]);
    });

    it("single mode takes exactly one address", () => {
      const two = { REDIS_CLUSTER_MODE_ON: "false", REDIS_CLUSTER_ADDRESSES: "a:1,b:1" };
      expect(problemsOf(two)).to.deep.equal([
        "REDIS_CLUSTER_ADDRESSES must be one address where REDIS_CLUSTER_MODE_ON is false",
      ]);
    });

    it("commands in flight cannot exceed those in flight and waiting", () => {
      const both = { REDIS_CLUSTER_POOL_SIZE: "10001", REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: "10000" };
      expect(problemsOf(both)).to.have.length(1);
      expect(load({ ...both, REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: "10001" }).redis.maxWaiting).to.equal(0);
    });

    it("more in flight than the default of those in flight and waiting: nobody waits", () => {
      expect(load({ REDIS_CLUSTER_POOL_SIZE: "20000" }).redis).to.include({ maxInFlight: 20_000, maxWaiting: 0 });
    });

    it("0 is no limit to go-redis, and is refused here", () => {
      expect(problemsOf({ REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: "0" })).to.deep.equal([
        "REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS must be a whole number from 1 to 1000000, in digits only; 0 does not mean no limit here",
      ]);
    });

    it("a setting said twice must be the same", () => {
      const string = { MYSQL_CONNECTION_STRING: "u@tcp(db)/d?tls=true&timeout=3s" };
      expect(problemsOf({ ...string, MYSQL_TLS: "true", MYSQL_CONNECT_TIMEOUT_IN_SECS: "3" })).to.deep.equal([]);
      expect(problemsOf({ ...string, MYSQL_TLS: "false", MYSQL_CONNECT_TIMEOUT_IN_SECS: "4" })).to.have.length(2);
    });

    it("an unknown variable of ours is told of, with the name it resembles", () => {
      expect(noticesOf({ MYSQL_PRT: "1" })).to.include(
        "warn MYSQL_PRT is not a variable of this package; did you mean MYSQL_PORT?",
      );
      expect(noticesOf({ REDIS_CLUSTER_XYZZY_PLUGH: "1" })).to.include(
        "warn REDIS_CLUSTER_XYZZY_PLUGH is not a variable of this package",
      );
    });
  });

  describe("bad addresses", () => {
    const bad = "a,a:,a:0,a:65536,:1,[::1],::1:1,a:1 ,a: 1,a b:1,256.1.1.1:1,a/b:1,u@a:1,[a]:1,redis://a:1".split(",");
    for (const address of [...bad, "a:1,", "a:1,,b:1", "a:1, b:1", "a:1,A:1"])
      it(JSON.stringify(address), () => expect(problemsOf({ REDIS_CLUSTER_ADDRESSES: address })).to.have.length(1));
  });
});
