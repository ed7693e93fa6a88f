import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import {
  type MysqlServer,
  type RedisCluster,
  type RedisServer,
  ServerStartError,
  startMysqlServer,
  startRedisCluster,
  startRedisServer,
  startServices,
} from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";

const here = dirname(fileURLToPath(import.meta.url));

describe("private servers", function () {
  this.timeout(90_000);
  let certificates: TestCertificates;

  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates?.remove());

  describe("MySQL", () => {
    let server: MysqlServer;
    before(async () => {
      server = await startMysqlServer({ tls: certificates.valid });
    });
    after(() => server?.stop());

    it("keeps what was committed through kill -9 and restart, on the same port", async () => {
      await query(server, "CREATE TABLE kept (id INT PRIMARY KEY)");
      await query(server, "INSERT INTO kept VALUES (7)");
      await server.kill();
      // A Docker engine's port proxy accepts for a server that is gone, and hangs up.
      expect(await failure(query(server, "SELECT 1")))
        .to.have.property("code")
        .that.is.oneOf(["ECONNREFUSED", "PROTOCOL_CONNECTION_LOST"]);
      await server.restart();
      expect(await query(server, "SELECT id FROM kept")).to.deep.equal([{ id: 7 }]);
    });

    it("answers nothing while paused and everything after", async () => {
      await server.pause();
      expect(await failure(query(server, "SELECT 1", 300))).to.have.property("code", "ETIMEDOUT");
      await server.resume();
      expect(await query(server, "SELECT 1 AS one")).to.deep.equal([{ one: 1 }]);
    });

    it("shows the certificate it was given", async () => {
      const connection = await createConnection({
        ...login(server),
        ssl: { ca: certificates.valid.ca, verifyIdentity: true },
      });
      const [rows] = await connection.query<RowDataPacket[]>("SHOW STATUS LIKE 'Ssl_cipher'");
      await connection.end();
      expect(rows[0]?.Value).to.be.a("string").and.not.equal("");
    });

    it("lets its user work in databases named doordarshan… only", async () => {
      await query(server, "CREATE DATABASE doordarshan_other");
      expect(await failure(query(server, "CREATE DATABASE other"))).to.have.property("errno", 1044);
    });

    it("says what the server printed when it does not start", async () => {
      const error = await failure(startMysqlServer({ args: ["--no-such-option"] }));
      expect(error).to.be.instanceOf(ServerStartError);
      expect(error.message).to.contain("no-such-option");
    });
  });

  describe("Redis", () => {
    let server: RedisServer;
    before(async () => {
      server = await startRedisServer({
        tls: certificates.valid,
        users: ["default off", "app on >secret ~app:* +@all"],
      });
    });
    after(() => server?.stop());

    it("serves TLS and the users it was given, and keeps data through kill -9", async () => {
      expect(await server.call("ACL", "LIST")).to.have.lengthOf(3);
      await server.call("SET", "app:a", "1");
      // What everysec still holds back is written at once by this.
      await server.call("CONFIG", "SET", "appendfsync", "always");
      await server.restart();
      expect(await server.call("GET", "app:a")).to.equal("1");
    });
  });

  describe("Redis Cluster", () => {
    let cluster: RedisCluster;
    before(async () => {
      cluster = await startRedisCluster({ nodeTimeoutMs: 1_000, tls: certificates.valid });
    });
    after(() => cluster?.stop());

    it("has three masters and three replicas", async () => {
      const roles = await Promise.all(cluster.nodes.map((node) => node.role()));
      expect(roles.filter((role) => role === "master")).to.have.lengthOf(3);
      expect(cluster.environment.REDIS_CLUSTER_ADDRESSES?.split(",")).to.have.lengthOf(6);
    });

    it("promotes the replica of a killed master and takes the master back as its replica", async () => {
      const [master, replica] = await Promise.all([cluster.masterOf("key"), cluster.replicaOf("key")]);
      await master.call("SET", "key", "value");
      await master.kill();
      while ((await replica.role()) !== "master") expect(await replica.call("PING")).to.equal("PONG");
      expect(await replica.call("GET", "key")).to.equal("value");
      await master.restart();
      await cluster.untilHealthy();
      expect(await master.role()).to.equal("replica");
      expect((await cluster.masterOf("key")).port).to.equal(replica.port);
    });
  });

  it("go away with the process that started them, even when that is killed with -9", async () => {
    const child = spawn(process.execPath, ["--import", "tsx", join(here, "fixtures/holdServer.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    expect(await accepts(Number(port))).to.equal(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    const deadline = Date.now() + 20_000;
    while (await accepts(Number(port))) expect(Date.now(), "still there").to.be.below(deadline);
  });

  it("are not started for what the environment names", async () => {
    const services = await startServices();
    const before = { ...process.env };
    try {
      Object.assign(process.env, services.environment);
      const again = await startServices();
      expect(again.source.mysql).to.equal("MySQL as named by MYSQL_ENDPOINT");
      expect(again.environment).to.include(services.environment);
      expect(again.singleEnvironment).to.include(services.singleEnvironment);
      await again.stop();
    } finally {
      for (const name of Object.keys(services.environment)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      await services.stop();
      await services.stop();
    }
  });
});

function login({ host, port, environment }: MysqlServer) {
  const { MYSQL_USERNAME: user = "", MYSQL_PASSWORD: password = "", MYSQL_DB_NAME: database = "" } = environment;
  return { host, port, user, password, database };
}

async function query(server: MysqlServer, statement: string, connectTimeout = 5_000): Promise<unknown> {
  const connection = await createConnection({ ...login(server), connectTimeout });
  const [rows] = await connection.query(statement).finally(() => connection.end());
  return rows;
}

function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail("it should have failed"),
    (error: Error) => error,
  );
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      // A Docker engine's proxy accepts for a server that is gone: only an answer counts.
      socket.write("PING\r\n");
    });
    socket.once("data", () => settle(true));
    for (const event of ["error", "close"]) socket.once(event, () => settle(false));
    const settle = (answer: boolean) => {
      resolve(answer);
      socket.destroy();
    };
  });
}
