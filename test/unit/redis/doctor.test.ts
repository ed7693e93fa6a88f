import { expect } from "chai";
import type { Finding } from "../../../src/doctor/check.js";
import { type RedisPatient, redisChecks } from "../../../src/redis/doctor/index.js";

/** What a check says of servers that tell this in INFO: states that a server cannot simply be brought into. */
async function told(id: string, ...infos: Readonly<Record<string, string>>[]): Promise<string[]> {
  const servers = infos.map((fields, i) => ({ name: `s${i}`, info: async () => new Map(Object.entries(fields)) }));
  const patient = { config: { mode: "single" }, servers: async () => servers } as unknown as RedisPatient;
  const check = redisChecks.find((each) => each.id === id);
  const findings = [await check?.run(patient, new AbortController().signal)].flat() as Finding[];
  return findings.map(({ verdict, saw, advice = "" }) => `${verdict} ${saw} -> ${advice}`);
}

describe("What the doctor makes of INFO", () => {
  it("names servers that are too old, or of another kind", async () => {
    const version = (redis_version: string, more = {}) => ({ redis_version, ...more });
    expect(await told("redis.version", version("6.0.20"))).to.deep.equal([
      "failed s0: Redis 6.0.20 -> Upgrade the server: 6.2 is the oldest that will do",
    ]);
    expect((await told("redis.version", version("5.9.0")))[0]).to.match(/^failed/);
    expect((await told("redis.version", version("6.2.0"), version("10.0.1")))[1]).to.match(/^ok s1: Redis 10\.0\.1/);
    const [valkey] = await told("redis.version", version("7.2.4", { valkey_version: "9.1.0" }));
    expect(valkey).to.match(/^ok s0: Valkey 9\.1\.0/);
    expect((await told("redis.mode", { redis_mode: "sentinel" }))[0]).to.match(/^failed s0: a Sentinel.*not supported/);
  });

  it("lets servers that are alike share a line", async () => {
    const [same] = await told("redis.role", { role: "master" }, { role: "master" });
    expect(same).to.match(/^ok all 2 servers: a master/);
    const many = Array.from({ length: 8 }, (_, i) => ({ role: i === 7 ? "slave" : "master" }));
    expect((await told("redis.role", ...many))[0]).to.match(/^ok s0, s1, s2, s3, s4 and 2 more: a master/);
  });

  it("warns of memory and connections that are nearly used up", async () => {
    const memory = (used_memory: string) => ({ maxmemory: "1048576000", maxmemory_policy: "noeviction", used_memory });
    expect((await told("redis.maxmemory", memory("943718399")))[1]).to.match(/^ok/);
    expect((await told("redis.maxmemory", memory("943718400")))[1]).to.match(
      /^warning s0: 90 % of maxmemory used \(of 1000 MiB\)/,
    );
    const clients = (connected_clients: string) => ({ maxclients: "1000", connected_clients });
    expect((await told("redis.connections", clients("900")))[0]).to.match(/^ok/);
    expect((await told("redis.connections", clients("901")))[0]).to.match(/^warning s0: 901 of 1000/);
    expect((await told("redis.connections", clients("997")))[0]).to.match(/^failed s0: 997 of 1000/);
  });

  it("warns of replicas that are not online yet, and names writes to disk that failed", async () => {
    const slave0 = "ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0";
    expect((await told("redis.replication", { role: "master", slave0 }))[0]).to.match(
      /^warning .*1 replica\(s\) not yet online/,
    );
    const failing = { aof_enabled: "1", aof_last_write_status: "err", aof_last_bgrewrite_status: "err" };
    const [write, rewrite, mode] = await told("redis.persistence", failing);
    expect(write).to.match(/^failed .*writes are refused -> /);
    expect(rewrite).to.match(/^failed .*grows without end -> /);
    expect(mode).to.match(/^ok/);
  });

  it("leaves open what a server does not tell", async () => {
    for (const id of ["redis.maxmemory", "redis.connections"])
      for (const text of await told(id, {})) expect(text, id).to.match(/^skipped/);
  });
});
