import { connect, createServer } from "node:net";
import { inspect } from "node:util";
import { expect } from "chai";
import { ConfigError, DeadlineExceededError, MysqlPingError } from "../../../src/errors.js";
import { createDataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { inspectMysql } from "../../../src/mysql/inspection.js";
import { runTransaction } from "../../../src/mysql/transaction.js";
import { type Environment, type MysqlServer, type ServerTls, startMysqlServer } from "../../../src/testing/index.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { expectWithin, failureOf, mysqlConfig, through, timedFailureOf, withDataSource } from "./testDataSource.js";

/** Of protocol 10, offering TLS: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html */
const GREETING = packet(
  Buffer.concat([
    Buffer.from([10]),
    Buffer.from("8.0.0\0"),
    Buffer.alloc(4 + 8 + 1),
    Buffer.from([0xff, 0xff, 45, 2, 0, 0xff, 0xc1, 21]),
    Buffer.alloc(10 + 13),
    Buffer.from("mysql_native_password\0"),
  ]),
);

function packet(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);
}

describe("opening MySQL", function () {
  this.timeout(120_000);
  let server: MysqlServer;
  let proxy: TcpProxy;

  before(async () => {
    server = await startMysqlServer();
    proxy = await startProxy(server);
  });
  after(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  afterEach(() => proxy.thaw());

  const opening = (environment: Environment, timeoutMs = 3_000) =>
    openDataSource(createDataSource(mysqlConfig(environment)), timeoutMs);

  const refusals: Record<string, [changes: () => Environment, advice: RegExp]> = {
    "a wrong password": [() => ({ MYSQL_PASSWORD: "canary-password" }), /Check username and password/],
    "a database that is not there": [
      () => ({ MYSQL_DB_NAME: "doordarshan_missing" }),
      /Check that the database exists/,
    ],
    "a database that is not the user's": [() => ({ MYSQL_DB_NAME: "mysql" }), /permissions/],
    "a closed port": [() => ({ MYSQL_PORT: "1" }), /reachable/],
    "a host without an address": [() => ({ MYSQL_ENDPOINT: "nowhere.invalid" }), /host name/],
    "a server without TLS": [() => ({ MYSQL_TLS: "true" }), /offers no TLS|unknown authority/],
  };
  for (const [what, [changes, advice]] of Object.entries(refusals)) {
    it(`says what to check: ${what}`, async () => {
      const error = await failureOf(opening({ ...server.environment, ...changes() }));
      expect(error).to.be.instanceOf(MysqlPingError);
      expect(error.message).to.match(advice);
      for (const text of [inspect(error, { depth: 9 }), JSON.stringify(error)]) {
        expect(text).to.not.contain("canary-password");
        expect(text).to.not.contain(server.environment.MYSQL_PASSWORD);
      }
    });
  }

  it("is bounded, and leaves nothing open, when the server takes the connection and says nothing", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const gone = new Promise((resolve) =>
      silent.once("connection", (socket) => socket.once("close", resolve).resume()),
    );
    const { error, took } = await timedFailureOf(opening({ ...server.environment, MYSQL_PORT: String(port) }, 300));
    expect(error).to.be.instanceOf(MysqlPingError);
    expect(error.message).to.match(/reachable/);
    expectWithin(took, 240, 800);
    await gone;
    silent.close();
  });

  it("is bounded, and ends no process, when the server freezes while TLS starts", async () => {
    const freezing = createServer((socket) =>
      socket
        .on("error", () => undefined)
        .resume()
        .write(GREETING),
    );
    await new Promise<void>((resolve) => freezing.listen(0, "127.0.0.1", resolve));
    const { port } = freezing.address() as { port: number };
    const gone = new Promise((resolve) => freezing.once("connection", (socket) => socket.once("close", resolve)));
    const environment = { ...server.environment, MYSQL_PORT: String(port), MYSQL_TLS: "true" };
    const { error, took } = await timedFailureOf(opening(environment, 300));
    expect(error).to.be.instanceOf(MysqlPingError);
    expectWithin(took, 240, 800);
    await gone;
    freezing.close();
  });

  it("says what to check when a proxy takes the connection and hangs up, as for a server that is down", async () => {
    const hangingUp = createServer((socket) => socket.end().on("error", () => undefined));
    await new Promise<void>((resolve) => hangingUp.listen(0, "127.0.0.1", resolve));
    const { port } = hangingUp.address() as { port: number };
    const error = await failureOf(opening({ ...server.environment, MYSQL_PORT: String(port) }));
    hangingUp.close();
    expect(error).to.be.instanceOf(MysqlPingError);
    expect(error.message)
      .to.match(/^Connection lost: .*[^.]\. Check that MySQL runs/)
      .and.not.include("..");
  });

  it("a question about health is answered in time when the server is frozen, and again when it goes on", () =>
    withDataSource(through(server.environment, proxy), {}, async (dataSource) => {
      await inspectMysql(dataSource, 1_000);
      proxy.freeze();
      const { error, took } = await timedFailureOf(inspectMysql(dataSource, 200));
      expect(error).to.be.instanceOf(MysqlPingError);
      expectWithin(took, 160, 300);
      proxy.thaw();
      await inspectMysql(dataSource, 1_000);
    }));

  it("keeps the password out of the DataSource, however it is printed", () =>
    withDataSource(server.environment, {}, async (dataSource) => {
      const password = server.environment.MYSQL_PASSWORD as string;
      expect(inspect(dataSource, { depth: 12 })).to.not.contain(password);
      expect(inspect(dataSource.createQueryRunner(), { depth: 12 })).to.not.contain(password);
    }));

  it("names the variable when the file of the authority cannot be read", () => {
    const environment = { ...server.environment, MYSQL_TLS: "true", MYSQL_TLS_CA_FILE: "/nonexistent/ca.pem" };
    expect(() => createDataSource(mysqlConfig(environment)))
      .to.throw(ConfigError)
      .with.property("message")
      .that.matches(/MYSQL_TLS_CA_FILE .*ENOENT/);
  });

  describe("with TLS", () => {
    let certificates: TestCertificates;
    before(async () => {
      certificates = await createCertificates();
    });
    after(() => certificates?.remove());

    const withTls = async <T>(certificate: ServerTls, use: (environment: Environment) => Promise<T>): Promise<T> => {
      const secure = await startMysqlServer({ tls: certificate, args: ["--require-secure-transport=ON"] });
      try {
        const tls = { MYSQL_ENDPOINT: "localhost", MYSQL_TLS: "true", MYSQL_TLS_CA_FILE: certificates.valid.caFile };
        return await use({ ...secure.environment, ...tls });
      } finally {
        await secure.stop();
      }
    };
    const encrypted = (environment: Environment) =>
      withDataSource(environment, {}, async (dataSource) => {
        const [row]: { Value: string }[] = await dataSource.query("SHOW STATUS LIKE 'Ssl_cipher'");
        return row?.Value !== "";
      });

    it("connects by host name and by address when the certificate fits, and bounds statements as without", () =>
      withTls(certificates.valid, async (environment) => {
        expect(await encrypted(environment)).to.equal(true);
        expect(await encrypted({ ...environment, MYSQL_ENDPOINT: "127.0.0.1" })).to.equal(true);
        const unknown = await failureOf(opening({ ...environment, MYSQL_TLS_CA_FILE: undefined }));
        expect(unknown.message).to.match(/unknown authority/);
        const plain = await failureOf(opening({ ...environment, MYSQL_TLS: "false", MYSQL_TLS_CA_FILE: undefined }));
        expect(plain.message).to.match(/MYSQL_TLS/);
        await withDataSource(environment, { queryTimeoutMs: 200 }, async (dataSource) => {
          const { error, took } = await timedFailureOf(runTransaction(dataSource, () => new Promise(() => undefined)));
          expect(error).to.be.instanceOf(DeadlineExceededError);
          expectWithin(took, 0, 800);
        });
      }));

    it("checks an address that has no name against the certificate, and not against localhost", () =>
      withTls(certificates.valid, async (environment) => {
        const target = { host: "127.0.0.1", port: Number(environment.MYSQL_PORT) };
        const elsewhere = createServer((client) => {
          const onward = connect(target);
          client.pipe(onward).pipe(client);
          client.on("error", () => onward.destroy());
          onward.on("error", () => client.destroy());
        });
        await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.2", resolve));
        const { port } = elsewhere.address() as { port: number };
        const error = await failureOf(
          opening({ ...environment, MYSQL_ENDPOINT: "127.0.0.2", MYSQL_PORT: String(port) }),
        );
        elsewhere.close();
        expect(error.message).to.match(/for another host/);
      }));

    const unfit: Record<string, [certificate: () => ServerTls, advice: RegExp]> = {
      expired: [() => certificates.expired, /has expired/],
      "for another host": [() => certificates.foreignHost, /for another host/],
      "of an unknown authority": [() => certificates.foreignAuthority, /unknown authority/],
    };
    for (const [what, [certificate, advice]] of Object.entries(unfit)) {
      it(`refuses a certificate that is ${what}, unless told not to verify`, () =>
        withTls(certificate(), async (environment) => {
          for (const MYSQL_ENDPOINT of ["localhost", "127.0.0.1"]) {
            const error = await failureOf(opening({ ...environment, MYSQL_ENDPOINT }));
            expect(error).to.be.instanceOf(MysqlPingError);
            expect(error.message).to.match(advice);
          }
          expect(await encrypted({ ...environment, MYSQL_TLS_SKIP_VERIFY: "true" })).to.equal(true);
        }));
    }
  });
});
