import { expect } from "chai";
import { createContainer, loadConfig } from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../src/testing/index.js";
import { recordingLogger } from "../../support/recordingLogger.js";

describe("Signal handlers of a container that stops", function () {
  this.timeout(120_000);
  let mysql: MysqlServer;
  let redis: RedisServer;

  before(async () => {
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
  });

  after(() => Promise.all([mysql?.stop(), redis?.stop()]));

  it("finish, with both stores at hand, and their entries are acknowledged", async () => {
    const { environment } = await createDatabase({ ...mysql.environment, ...redis.environment });
    const logger = recordingLogger();
    const container = createContainer(loadConfig(environment), { logger, migrations: "run" });
    await container.start();
    let begun!: () => void;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let found: boolean | undefined;
    const { meetings } = container.repositories;
    const handler = async () => {
      begun();
      await released;
      found = await meetings.exists("m");
    };
    await container.signals.consume({ group: "g", consumer: "c", meetingIds: "m", handler });
    const payload = { userJoinedReason: "joined" };
    await container.signals.publish({ type: "DoordarshanUserJoined", meetingId: "m", senderId: "p", payload });
    await running;
    const stopped = container.stop();
    release();
    await stopped;
    expect(found).to.equal(false);
    expect(await redis.call("XPENDING", "room-stream:m", "g")).to.deep.equal([0, null, null, null]);
    expect(logger.lines.filter(({ level }) => level === "warn" || level === "error")).to.deep.equal([]);
  });
});
