import { expect } from "chai";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { type Opened, openClient, redisConfig } from "./openClient.js";

describe("The lines about a connection that comes and goes", function () {
  this.timeout(60_000);
  let server: RedisServer;
  let opened: Opened;

  before(async () => {
    server = await startRedisServer();
  });

  afterEach(() => opened?.client.close(0));

  after(() => server?.stop());

  it("tell of the trouble and of its end, and not again with each time", async () => {
    opened = await openClient(redisConfig("single", [server]));
    const { client, logger } = opened;
    const began = performance.now();
    for (let i = 0; i < 10; i += 1) {
      await server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await client.send("XLEN", ["s"], { kind: "read" });
    }
    // So often the same trouble may be told.
    const periods = Math.ceil((performance.now() - began) / 10_000);
    const told = logger.lines
      .filter(({ level }) => level === "info" || level === "warn")
      .map(({ fields }) => (fields as { event: string }).event);
    const lost = told.filter((event) => event === "redis.lost").length;
    expect(lost).to.be.within(1, periods);
    // The first is of the start.
    expect(told.filter((event) => event === "redis.ready")).to.have.length(1 + lost);
    expect(told.at(-1)).to.equal("redis.ready");
  });
});
