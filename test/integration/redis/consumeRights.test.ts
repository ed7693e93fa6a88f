import { expect } from "chai";
import { Secret } from "../../../src/config/secret.js";
import { RedisCommandError } from "../../../src/errors.js";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { Consumed } from "./consumed.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { joined } from "./signalLoad.js";

const PASSWORD = "canary-password";
const FOLLOWING = "+ping +info +client|setname +xadd +xrange +pexpire +xinfo|stream +subscribe +unsubscribe";
/** What consumer groups need besides. */
const GROUPS = "+xreadgroup +xack +xpending +xautoclaim +xclaim +xgroup|create +xinfo|groups +evalsha +eval";

describe("Consumer groups of a Redis user with few rights", function () {
  this.timeout(30_000);
  let server: RedisServer;
  let opened: Opened;

  before(async () => {
    const user = (name: string, rights: string) =>
      `${name} on >${PASSWORD} ~room-stream:* ~{room-stream:* &* ${rights}`;
    const users = ["default off", user("app", `${FOLLOWING} ${GROUPS}`), user("reader", FOLLOWING)];
    server = await startRedisServer({ users, args: ["notify-keyspace-events Kt"] });
  });

  afterEach(() => opened?.client.close(0));

  after(() => server?.stop());

  async function open(username: string): Promise<void> {
    const password = new Secret(PASSWORD);
    const credentials = { kind: "variables", variable: "REDIS_CLUSTER_PASSWORD", username, password } as const;
    opened = await openClient(redisConfig("single", [server], { credentials, followSweepMs: 200 }));
  }

  it("need no more than the list says", async () => {
    await open("app");
    const { signals, logger } = opened;
    for (const requestId of ["1", "2", "bad", "3"]) await signals.publish(joined("m", requestId));
    const stream = "room-stream:m";
    await server.call("XGROUP", "CREATE", stream, "g", "0");
    await server.call("XREADGROUP", "GROUP", "g", "dead", "COUNT", 1, "STREAMS", stream, ">");
    const consumed = new Consumed(() => {
      if (consumed.requestIds().at(-1) === "bad") throw new Error("bad");
    });
    const options = { group: "g", consumer: "c", meetingIds: ["m", "other"], minIdleMs: 200 };
    const consumption = await signals.consume({ ...options, maxDeliveries: 2, handler: consumed.handler });
    await signals.publish(joined("other", "4"));
    await consumed.until(6);
    expect(new Set(consumed.requestIds())).to.deep.equal(new Set(["1", "2", "bad", "3", "4"]));
    while ((await signals.lag("m")).groups[0]?.pending !== 0);
    expect(await signals.deadLetters("m", "g")).to.have.length(1);
    await consumption.close();
    const refused = logger.lines.filter(({ level, message }) => level !== "info" && /NOPERM/.test(message));
    expect(refused).to.deep.equal([]);
  });

  it("are refused with the command that is not granted", async () => {
    await open("reader");
    const { handler } = new Consumed();
    const error = await rejection(opened.signals.consume({ group: "g", consumer: "c", meetingIds: "m", handler }));
    expect(error).to.be.instanceOf(RedisCommandError);
    expect(error.message)
      .to.match(/^X[A-Z]+: NOPERM/)
      .and.not.include(PASSWORD);
  });
});
