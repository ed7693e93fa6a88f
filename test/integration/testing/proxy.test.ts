import { expect } from "chai";
import { Redis } from "ioredis";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";

describe("the proxy", () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let client: Redis;

  before(async () => {
    server = await startRedisServer();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    proxy = await startProxy(server);
    client = new Redis({ port: proxy.port, host: proxy.host, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    client.on("error", () => undefined);
    await client.flushall();
  });
  afterEach(async () => {
    client.disconnect();
    await proxy.stop();
  });

  it("lets a request through, drops the reply and cuts", async () => {
    const cut = proxy.cutAfterRequest((request) => request.includes("XADD") || request.includes("xadd"));
    const outcome = await client.xadd("s", "*", "a", "1").catch((error: Error) => error);
    await cut;
    expect(outcome).to.be.instanceOf(Error);
    expect(await server.call("XLEN", "s")).to.equal(1);
  });

  it("holds everything while frozen and passes it on afterwards", async () => {
    proxy.freeze();
    const pending = client.incr("n");
    expect(await server.call("GET", "n")).to.equal(null);
    proxy.thaw();
    expect(await pending).to.equal(1);
  });

  it("cuts all connections and takes new ones", async () => {
    expect(proxy.connections).to.equal(1);
    const closed = new Promise((resolve) => client.once("close", resolve));
    proxy.cutAll();
    await closed;
    await client.connect();
    expect(await client.ping()).to.equal("PONG");
  });
});
