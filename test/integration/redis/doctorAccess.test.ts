import { readFileSync } from "node:fs";
import { expect } from "chai";
import { redisChecks } from "../../../src/redis/doctor/index.js";
import { purposes } from "../../../src/redis/doctor/rights.js";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { CANARY, type Environment, examined, idsOf, textsOf } from "./doctored.js";

const KEYS = "~room-stream:* ~{room-stream:* &*";

/** The rights that the README and docs/signals.md tell operators to grant. */
function documentedRights(): string {
  const permissions = readFileSync("README.md", "utf8").split("**Permissions**")[1]?.split("**Pools")[0] ?? "";
  const more = readFileSync("docs/signals.md", "utf8").split("## Permissions")[1]?.split("## On the wire")[0] ?? "";
  return [...new Set(`${permissions}${more}`.replaceAll("\\|", "|").match(/\+[a-z|]+/g))].join(" ");
}

describe("The doctor's way into Redis", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let certificates: TestCertificates;
  const secure: Record<string, RedisServer> = {};
  let environment: Environment;

  before(async () => {
    const user = (name: string, rights: string) => `${name} on >${CANARY} ${rights}`;
    const users = [
      "default off",
      user("full", `${KEYS} ${documentedRights()}`),
      user("no-xadd", `${KEYS} ${documentedRights()} -xadd`),
      user("other-keys", `~elsewhere:* ${documentedRights()}`),
      user("nothing", "-@all"),
    ];
    server = await startRedisServer({ users, args: ["notify-keyspace-events Kt", 'rename-command RENAME ""'] });
    environment = { ...server.environment, REDIS_CLUSTER_PASSWORD: CANARY };
    certificates = await createCertificates();
    for (const name of ["valid", "expired", "foreignHost", "foreignAuthority"] as const)
      secure[name] = await startRedisServer({ tls: certificates[name] });
  });

  after(async () => {
    await Promise.all([server, ...Object.values(secure)].map((each) => each?.stop()));
    certificates?.remove();
  });

  const as = (username: string, password = CANARY): Environment => ({
    ...environment,
    REDIS_CLUSTER_USERNAME: username,
    REDIS_CLUSTER_PASSWORD: password,
  });

  it("has each check once, after what it needs", () => {
    const ids = redisChecks.map(({ id }) => id);
    expect(new Set(ids)).to.have.property("size", ids.length);
    redisChecks.forEach(({ needs = [] }, i) => {
      for (const id of needs) expect(ids.slice(0, i)).to.include(id);
    });
  });

  it("names each variable that is wrong, and looks no further", async () => {
    const wrong = { REDIS_CLUSTER_POOL_SIZE: CANARY, REDIS_CLUSTER_TLS: CANARY, REDIS_CLUSTER_SECRET_FIEL: "x" };
    const reports = await examined({ ...environment, ...wrong });
    const problems = textsOf(reports, "redis.configuration");
    expect(problems).to.have.length(2);
    expect(problems[0]).to.match(/^failed REDIS_CLUSTER_POOL_SIZE must be a whole number/);
    expect(problems[1]).to.match(/^failed REDIS_CLUSTER_TLS must be true or false/);
    expect(idsOf(reports, "failed")).to.deep.equal(["redis.configuration"]);
    expect(idsOf(reports, "skipped")).to.have.length(redisChecks.length - 1);
  });

  it("warns of what is configured and does not do what it seems to", async () => {
    const reports = await examined({ ...as("full"), REDIS_CLUSTER_SECRET_FIEL: CANARY });
    expect(textsOf(reports, "redis.configuration")[1]).to.match(/^warning REDIS_CLUSTER_SECRET_FIEL .*SECRET_FILE/);
  });

  it("names a secret file that cannot be read", async () => {
    const reports = await examined({ ...server.environment, REDIS_CLUSTER_SECRET_FILE: "/no/such/file" });
    expect(textsOf(reports, "redis.configuration")[0]).to.match(/^failed REDIS_CLUSTER_SECRET_FILE.*no\/such\/file/);
  });

  it("names an address that has no name, and one where nobody listens", async () => {
    const nameless = await examined({ ...environment, REDIS_CLUSTER_ADDRESSES: "no-such-host.invalid:6379" });
    expect(textsOf(nameless, "redis.name")[0]).to.match(/^failed no-such-host\.invalid.*REDIS_CLUSTER_ADDRESSES/);
    const silent = await examined({ ...environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:1" });
    expect(textsOf(silent, "redis.tcp")[0]).to.match(/^failed 127\.0\.0\.1:1 .*ECONNREFUSED/);
    expect(idsOf(silent, "failed")).to.deep.equal(["redis.tcp"]);
  });

  it("tells a wrong password from a missing one", async () => {
    const wrong = await examined(as("full", `${CANARY}-wrong`));
    expect(textsOf(wrong, "redis.login")[0]).to.match(/^failed .*WRONGPASS.*REDIS_CLUSTER_PASSWORD/);
    const missing = await examined(server.environment);
    expect(textsOf(missing, "redis.login")[0]).to.match(/^failed .*NOAUTH.*none is configured/);
  });

  it("is content with the rights that are documented", async () => {
    const reports = await examined({ ...as("full"), REDIS_CLUSTER_NAME: "named" });
    // RENAME is missing on this server.
    expect(textsOf(reports, "redis.permissions")).to.have.length(1);
    expect(textsOf(reports, "redis.permissions")[0]).to.match(
      /^warning .*no command rename, needed for idempotent publishing -> .*rename-command/,
    );
    expect(idsOf(reports, "failed")).to.deep.equal([]);
    for (const id of ["redis.keys", "redis.expiry", "redis.messages"])
      expect(textsOf(reports, id)[0]).to.match(/^skipped .*SCAN.*\+scan/);
  });

  it("asks for every right that is documented, and no other", () => {
    const cases = [
      { cluster: true, major: 7, named: true },
      { cluster: false, major: 6, named: true },
    ];
    const asked = cases.flatMap(purposes).flatMap(({ probes }) => probes.map(({ command }) => `+${command}`));
    // These two are the check of notifications'.
    const documented = documentedRights()
      .split(" ")
      .filter((right) => !right.startsWith("+config|"));
    expect([...new Set(asked)].sort()).to.deep.equal(documented.sort());
  });

  it("names the right to XADD that is missing, and how to grant it", async () => {
    const reports = await examined(as("no-xadd"));
    expect(idsOf(reports, "failed")).to.deep.equal(["redis.permissions"]);
    expect(textsOf(reports, "redis.permissions")[0]).to.match(
      /^failed .*no-xadd lacks \+xadd for publishing -> As an administrator.*ACL SETUSER no-xadd \+xadd /,
    );
  });

  it("names keys and channels that are missing", async () => {
    const texts = textsOf(await examined(as("other-keys")), "redis.permissions");
    expect(texts[0]).to.match(/^failed .*lacks ~room-stream:\* for publishing/);
    expect(texts.find((text) => / for subscribe /.test(text))).to.match(/^warning .*lacks ~room-stream:\* &\*/);
    expect(texts.find((text) => / for idempotent/.test(text))).to.match(/lacks ~\{room-stream:\*/);
  });

  it("survives a user who may do nothing", async () => {
    const reports = await examined(as("nothing"));
    expect(textsOf(reports, "redis.login")[0]).to.match(/^ok/);
    expect(textsOf(reports, "redis.permissions")[0]).to.match(/^failed .*lacks \+ping \+info for connecting/);
    expect(idsOf(reports, "failed")).to.deep.equal(["redis.permissions"]);
  });

  it("stores nothing and changes nothing", async () => {
    const settings = await server.call("CONFIG", "GET", "*");
    await examined({ ...environment, REDIS_CLUSTER_USERNAME: "full" });
    await examined({
      ...environment,
      REDIS_CLUSTER_USERNAME: server.admin.username,
      REDIS_CLUSTER_PASSWORD: server.admin.password,
    });
    expect(await server.call("DBSIZE")).to.equal(0);
    expect(await server.call("CONFIG", "GET", "*")).to.deep.equal(settings);
  });

  it("leaves no connection behind", async () => {
    await examined(as("full"));
    // The list has the admin's own connection; a server takes a moment to see that others are gone.
    const others = async () => String(await server.call("CLIENT", "LIST")).match(/user=full/g) ?? [];
    while ((await others()).length > 0);
  });

  it("names what is wrong with a certificate", async () => {
    const look = async (name: string, caOf: "valid" | "expired" = "valid") => {
      const REDIS_CLUSTER_TLS_CA_FILE = certificates[caOf].caFile;
      return examined({ ...(secure[name] as RedisServer).environment, REDIS_CLUSTER_TLS_CA_FILE });
    };
    const soon = await look("valid");
    expect(textsOf(soon, "redis.tls.expiry")[0]).to.match(/^warning .*valid until .* 4 days from now -> Renew/);
    expect(idsOf(soon, "failed")).to.deep.equal([]);
    expect(textsOf(await look("expired"), "redis.tls.expiry")[0]).to.match(/^failed .*expired on .*-> Renew/);
    expect(textsOf(await look("foreignHost"), "redis.tls.host")[0]).to.match(
      /^failed .*another host than 127\.0\.0\.1.*elsewhere/,
    );
    expect(textsOf(await look("foreignAuthority"), "redis.tls")[0]).to.match(/^failed .*REDIS_CLUSTER_TLS_CA_FILE/);
  });

  it("warns where nothing is verified", async () => {
    const { expired } = secure as { expired: RedisServer };
    const reports = await examined({ ...expired.environment, REDIS_CLUSTER_SKIP_VERIFY: "true" });
    expect(textsOf(reports, "redis.configuration")[1]).to.match(/^warning REDIS_CLUSTER_SKIP_VERIFY/);
    expect(textsOf(reports, "redis.tls.expiry")[0]).to.match(/^warning .*expired on/);
    expect(textsOf(reports, "redis.login")[0]).to.match(/^ok/);
  });

  it("tells TLS that is on from TLS that is off", async () => {
    const REDIS_CLUSTER_TLS_CA_FILE = certificates.valid.caFile;
    const on = await examined(
      { ...as("full"), REDIS_CLUSTER_TLS: "true", REDIS_CLUSTER_TLS_CA_FILE },
      { timeoutMs: 2_000 },
    );
    expect(textsOf(on, "redis.tls")[0]).to.match(/^failed .*does not speak TLS.*REDIS_CLUSTER_TLS=false/);
    const { valid } = secure as { valid: RedisServer };
    const off = await examined({ ...valid.environment, REDIS_CLUSTER_TLS: "false" });
    expect(textsOf(off, "redis.login")[0]).to.match(/^failed .*REDIS_CLUSTER_TLS \(a TLS server/);
  });
});
