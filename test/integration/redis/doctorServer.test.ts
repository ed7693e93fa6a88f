import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { CANARY, type Environment, examined, idsOf, textsOf } from "./doctored.js";
import { openClient, redisConfig } from "./openClient.js";
import { joined } from "./signalLoad.js";

const DAY_MS = 86_400_000;

describe("The doctor on a Redis server", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let environment: Environment;

  before(async () => {
    const users = ["default off", `app on >${CANARY} ~* &* +@all -config`];
    server = await startRedisServer({ users, args: ["enable-protected-configs yes"] });
    environment = as(server, server.admin);
  });

  after(() => server?.stop());

  const as = ({ environment }: RedisServer, { username, password }: RedisServer["admin"]): Environment => ({
    ...environment,
    REDIS_CLUSTER_USERNAME: username,
    REDIS_CLUSTER_PASSWORD: password,
  });

  /** What the doctor says of one check while settings are so; they are put back. */
  async function looked(id: string, settings: Record<string, string>, who = environment): Promise<string[]> {
    const names = Object.keys(settings);
    const before = await Promise.all(names.map((name) => server.call("CONFIG", "GET", name)));
    for (const [name, value] of Object.entries(settings)) await server.call("CONFIG", "SET", name, value);
    try {
      return textsOf(await examined(who), id);
    } finally {
      for (const [name, value] of before as string[][])
        await server.call("CONFIG", "SET", name as string, value as string);
    }
  }

  it("finds nothing but notifications on a server as it comes", async () => {
    const reports = await examined(environment);
    expect(idsOf(reports, "failed")).to.deep.equal([]);
    expect(idsOf(reports, "warning")).to.deep.equal(["redis.notifications"]);
    expect(textsOf(reports, "redis.mode")[0]).to.match(/^ok/);
    expect(textsOf(reports, "redis.version")[0]).to.include(server.version);
  });

  it("names cluster mode against a single instance", async () => {
    const reports = await examined({ ...environment, REDIS_CLUSTER_MODE_ON: "true" });
    expect(textsOf(reports, "redis.mode")[0]).to.match(
      /^failed .*a single instance.* -> .*REDIS_CLUSTER_MODE_ON=false/,
    );
    expect(idsOf(reports, "failed")).to.deep.equal(["redis.mode"]);
  });

  it("names a policy that evicts, and how bad it is", async () => {
    const limited = { maxmemory: "1gb" };
    const [lru] = await looked("redis.maxmemory", { ...limited, "maxmemory-policy": "allkeys-lru" });
    expect(lru).to.match(/^failed .*allkeys-lru.*loses signals -> .*maxmemory-policy noeviction/);
    const [volatile] = await looked("redis.maxmemory", { ...limited, "maxmemory-policy": "volatile-ttl" });
    expect(volatile).to.match(/^warning .*volatile-ttl/);
    const [unlimited] = await looked("redis.maxmemory", { "maxmemory-policy": "allkeys-random" });
    expect(unlimited).to.match(/^warning .*with a maxmemory/);
    const [, plenty] = await looked("redis.maxmemory", limited);
    expect(plenty).to.match(/^ok .*of 1024 MiB/);
  });

  it("names a memory that is full", async () => {
    const used = /used_memory:(\d+)/.exec(String(await server.call("INFO", "memory")))?.[1];
    const [, full] = await looked("redis.maxmemory", { maxmemory: String(Number(used) / 2) });
    expect(full).to.match(/^failed .*writes are refused or evict -> Raise maxmemory/);
  });

  it("names what a crash or a restart would lose", async () => {
    const [nothing] = await looked("redis.persistence", { appendonly: "no", save: "" });
    expect(nothing).to.match(/^warning .*neither append-only file nor snapshots/);
    const [snapshots] = await looked("redis.persistence", { appendonly: "no", save: "3600 1" });
    expect(snapshots).to.match(/^warning .*only snapshots, save 3600 1/);
    const [untold] = await looked(
      "redis.persistence",
      { appendonly: "no" },
      as(server, { username: "app", password: CANARY }),
    );
    expect(untold).to.match(/^warning .*save is not told/);
  });

  it("names a snapshot that failed", async () => {
    const [, folder] = (await server.call("CONFIG", "GET", "dir")) as [string, string];
    await server.call("CONFIG", "SET", "appendonly", "no");
    await server.call("CONFIG", "SET", "dir", "/proc");
    await server.call("BGSAVE");
    while (/rdb_bgsave_in_progress:1/.test(String(await server.call("INFO", "persistence"))));
    await server.call("CONFIG", "SET", "dir", folder);
    const [failed] = textsOf(await examined(environment), "redis.persistence");
    await server.call("SAVE");
    await server.call("CONFIG", "SET", "appendonly", "yes");
    expect(failed).to.match(/^failed .*last snapshot failed.* -> .*log/);
  });

  it("names notifications that are off, by whether they can be switched on", async () => {
    const on = { "notify-keyspace-events": "Ex" };
    const [able] = await looked("redis.notifications", on);
    expect(able).to.match(/^warning .*"xE" and lacks Kt; the first process.*--fix/);
    const off = { ...environment, REDIS_FOLLOW_ENABLE_NOTIFICATIONS: "false" };
    expect((await looked("redis.notifications", on, off))[0]).to.match(/^failed .*only with the sweep/);
    const rights = ["-config", "+config|get"].join(" ");
    await server.call("ACL", "SETUSER", "reader", "on", `>${CANARY}`, "~*", "&*", "+@all", ...rights.split(" "));
    const reader = as(server, { username: "reader", password: CANARY });
    expect((await looked("redis.notifications", on, reader))[0]).to.match(
      /^failed .*only with the sweep -> .*administrator.*CONFIG SET notify-keyspace-events xEKt/,
    );
    const [blind] = await looked("redis.notifications", on, as(server, { username: "app", password: CANARY }));
    expect(blind).to.match(/^skipped .*may not ask/);
  });

  it("switches notifications on, and keeps the flags that are set", async () => {
    await server.call("CONFIG", "SET", "notify-keyspace-events", "Ex");
    const [fixed] = (await examined(environment, { fix: true })).filter(({ id }) => id === "redis.notifications");
    expect(fixed).to.include({ verdict: "ok" });
    expect(fixed?.fixed).to.match(/from "xE" to "xEKt"/);
    const [, flags] = (await server.call("CONFIG", "GET", "notify-keyspace-events")) as [string, string];
    expect([...flags].sort().join("")).to.equal("EKtx");
    await server.call("CONFIG", "SET", "notify-keyspace-events", "");
  });

  it("names idle connections that are closed, and too few connections", async () => {
    expect((await looked("redis.timeout", { timeout: "60" }))[0]).to.match(
      /^warning .*timeout is 60.* -> CONFIG SET timeout 0/,
    );
    expect((await looked("redis.connections", { maxclients: "4" }))[0]).to.match(
      /^failed .*of 4 connections.* -> Raise maxclients/,
    );
  });

  it("names scripts that are not allowed", async () => {
    await server.call("ACL", "SETUSER", "noscripts", "on", `>${CANARY}`, "~*", "&*", "+@all", "-eval");
    const reports = await examined(as(server, { username: "noscripts", password: CANARY }));
    expect(textsOf(reports, "redis.scripts")[0]).to.match(/^warning .*EVAL is not allowed.*NOPERM.* -> .*\+eval/);
  });

  it("names commands that are renamed, and takes what it cannot see for what it is", async () => {
    const other = await startRedisServer({ args: ['rename-command CONFIG ""', 'rename-command EVAL ""'] });
    try {
      const reports = await examined(as(other, other.admin));
      expect(textsOf(reports, "redis.scripts")[0]).to.match(/^warning .*EVAL is not allowed.*unknown command/);
      expect(textsOf(reports, "redis.timeout")[0]).to.match(/^skipped /);
      expect(idsOf(reports, "failed")).to.deep.equal([]);
    } finally {
      await other.stop();
    }
  });

  for (const [answer, advice] of [
    ["-ERR max number of clients reached", "Raise maxclients"],
    ["-LOADING Redis is loading the dataset in memory", "The server is reading its data"],
  ] as const)
    it(`says what to do about ${answer}`, async () => {
      const answering = createServer((client) => {
        client.on("error", () => undefined);
        client.on("data", () => client.write(`${answer}\r\n`));
      }).listen(0, "127.0.0.1");
      await once(answering, "listening");
      const { port } = answering.address() as AddressInfo;
      const reports = await examined({ ...environment, REDIS_CLUSTER_ADDRESSES: `127.0.0.1:${port}` });
      answering.close();
      expect(idsOf(reports, "failed")).to.deep.equal(["redis.login"]);
      expect(textsOf(reports, "redis.login")[0]).to.include(answer.slice(1)).and.include(`-> ${advice}`);
    });

  it("names a clock that is wrong, whatever the round trip takes", async () => {
    const behind = await skewed(server, -5_000);
    try {
      const reports = await examined({ ...environment, REDIS_CLUSTER_ADDRESSES: `127.0.0.1:${behind.port}` });
      const [text] = textsOf(reports, "redis.clock");
      expect(text).to.match(/^warning .* behind ours -> .*NTP/);
      const ms = Number(/(\d+) ms behind/.exec(text as string)?.[1]);
      expect(ms).to.be.within(4_000, 6_000);
    } finally {
      behind.close();
    }
  });

  it("names a replica where a master is needed, and a link that is down", async () => {
    const replica = await startRedisServer({ args: [`replicaof 127.0.0.1 ${server.port}`] });
    try {
      const reports = await examined(replica.environment);
      expect(textsOf(reports, "redis.role")[0]).to.match(
        new RegExp(`^failed .*a replica of 127.0.0.1:${server.port}.* -> Name its master`),
      );
      // Its password is not the master's.
      expect(textsOf(reports, "redis.replication")[0]).to.match(
        /^warning .*link to its master is down.* -> .*masterauth/,
      );
    } finally {
      await replica.stop();
    }
  });

  it("names foreign keys and entries, and shows nothing of what is in them", async () => {
    const opened = await openClient(redisConfig("single", [server], { credentials: credentials() }));
    await opened.signals.publish(joined("good", "1"), { idempotent: true });
    await opened.client.close(1_000);
    const add = (key: string, ...pairs: string[]) => server.call("XADD", key, "*", ...pairs);
    await add("room-stream:foreign", "field", CANARY);
    await add("room-stream:torn", ...wire({ signal: `{"type":"${CANARY}` }));
    await add("room-stream:moved", ...wire({ roomId: "elsewhere" }));
    await add("room-stream:{braces}", "field", CANARY);
    await add("Room-Stream:case", "field", CANARY);
    await server.call("SET", "room-stream:text", CANARY);
    await server.call("SET", "unrelated:room", CANARY);
    const reports = await examined(environment);
    const [names, types] = textsOf(reports, "redis.keys");
    expect(names)
      .to.match(/^warning .*2 key\(s\)/)
      .and.include('"room-stream:{braces}"')
      .and.include('"Room-Stream:case"');
    expect(types).to.match(/^failed .*"room-stream:text" \(string\)/);
    const [entries, ...others] = textsOf(reports, "redis.messages");
    expect(others).to.deep.equal([]);
    expect(entries)
      .to.match(/^warning .*unrecognised/)
      .and.match(/"room-stream:foreign" \d+-0 \(messageType is not signalMessage\)/)
      .and.match(/"room-stream:torn" \d+-0 \(signal is not JSON\)/)
      .and.match(/"room-stream:moved" \d+-0 \(its roomId is not the stream's meeting\)/)
      .and.not.match(/good/);
    const [expiry] = textsOf(reports, "redis.expiry");
    expect(expiry)
      .to.match(/^warning .*without an expiry/)
      .and.not.match(/good|braces|text/);
  });

  it("gives streams without an expiry one, and leaves all others as they are", async () => {
    const ttl = async (key: string) => Number(await server.call("PTTL", key));
    const good = await ttl("room-stream:good");
    const reports = await examined({ ...environment, REDIS_CLUSTER_TTL_IN_HOURS: "48" }, { fix: true });
    const [expiry] = reports.filter(({ id }) => id === "redis.expiry");
    expect(expiry).to.include({ verdict: "ok" });
    expect(expiry?.fixed).to.match(/3 stream\(s\) given an expiry of 48 h/);
    for (const name of ["foreign", "torn", "moved"])
      expect(await ttl(`room-stream:${name}`)).to.be.within(2 * DAY_MS - 60_000, 2 * DAY_MS);
    expect(await ttl("room-stream:good")).to.be.within(1, good);
    for (const key of ["room-stream:{braces}", "Room-Stream:case", "room-stream:text"])
      expect(await ttl(key)).to.equal(-1);
    await server.call("FLUSHALL");
  });

  it("looks at a bounded number of keys, however many there are", async () => {
    const fill = "for i = 1, 30000 do redis.call('XADD', 'room-stream:' .. i, '*', 'field', ARGV[1]) end";
    await server.call("EVAL", fill, 0, CANARY);
    const before = commandsOf(await server.call("INFO", "stats"));
    const reports = await examined(environment);
    expect(commandsOf(await server.call("INFO", "stats")) - before).to.be.lessThan(500);
    expect(textsOf(reports, "redis.keys")[0]).to.match(/^ok 100 stream\(s\) of more keys than were looked at/);
    const fixed = await examined(environment, { fix: true, timeoutMs: 30_000 });
    expect(fixed.find(({ id }) => id === "redis.expiry")?.fixed).to.match(/30000 stream\(s\) given/);
    await server.call("FLUSHALL");
  });

  it("says within its patience that a server is frozen", async () => {
    await server.pause();
    try {
      const began = performance.now();
      const reports = await examined(environment, { timeoutMs: 2_000 });
      expect(performance.now() - began).to.be.lessThan(2_500);
      expect(textsOf(reports, "redis.tcp")[0]).to.match(/^ok/);
      expect(textsOf(reports, "redis.login")[0]).to.match(/^failed .*PING: no reply within 500 ms/);
    } finally {
      await server.resume();
    }
  });

  function credentials() {
    const { username, password } = server.admin;
    return { kind: "variables", variable: "REDIS_CLUSTER_PASSWORD", username, password: new Secret(password) } as const;
  }
});

function commandsOf(info: unknown): number {
  return Number(/total_commands_processed:(\d+)/.exec(String(info))?.[1]);
}

/** A signal's entry but for what is given. */
function wire(fields: Record<string, string>): string[] {
  const signal = JSON.stringify({
    type: "DoordarshanUserJoined",
    recipient_id: null,
    payload: { userJoinedReason: CANARY },
  });
  const name = "DoordarshanUserJoined";
  const common = { name, signal, roomId: "moved", participantId: "p", messageType: "signalMessage", requestId: "r" };
  return Object.entries({ ...common, ...fields }).flat();
}

/** In front of a server, as which it stands with a clock that is wrong; a server's own cannot be set. */
async function skewed(server: RedisServer, byMs: number): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const wrong = (_: string, us: string) => `server_time_usec:${BigInt(us) + BigInt(byMs) * 1_000n}`;
  const proxy = createServer((client) => {
    const behind = connect(server.port, server.host);
    client.pipe(behind);
    behind.on("data", (data) =>
      client.write(data.toString("latin1").replace(/server_time_usec:(\d{16})/, wrong), "latin1"),
    );
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => [client, behind].forEach((each) => void each.destroy()));
    }
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const close = () => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (proxy.address() as AddressInfo).port, close };
}
