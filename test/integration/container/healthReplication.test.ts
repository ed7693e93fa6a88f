import { expect } from "chai";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../src/testing/index.js";
import { asAdmin, untilHealth, withContainer } from "./healthOf.js";

/** The words for the same on the two engines; MySQL 8.4 and later know only the newer ones. */
const WORDS = {
  mariadb: { change: "CHANGE MASTER TO MASTER", key: "", start: "START REPLICA", stop: "STOP REPLICA" },
  mysql: {
    change: "CHANGE REPLICATION SOURCE TO SOURCE",
    key: ", GET_SOURCE_PUBLIC_KEY = 1",
    start: "START REPLICA",
    stop: "STOP REPLICA",
  },
} as const;

describe("health of a MySQL replica", function () {
  this.timeout(120_000);
  let source: MysqlServer;
  let replica: MysqlServer;
  let redis: RedisServer;
  let environment: Record<string, string>;
  let words: (typeof WORDS)["mysql" | "mariadb"];

  before(async () => {
    const log = (id: number) => ({ args: ["--log-bin=binlog", `--server-id=${id}`] });
    [source, replica, redis] = await Promise.all([
      startMysqlServer(log(1)),
      startMysqlServer(log(2)),
      startRedisServer(),
    ]);
    words = WORDS[source.version.includes("MariaDB") ? "mariadb" : "mysql"];
    ({ environment } = await createDatabase({ ...redis.environment, ...adminOf(replica) }));
    const { username, password } = source.admin;
    const [change, ...rest] = [
      `${words.change}_HOST = '${source.peerHost}'`,
      `PORT = ${source.port}`,
      `USER = '${username}'`,
      `PASSWORD = '${password}'`,
      "CONNECT_RETRY = 1",
    ];
    const prefix = words.change.split(" ").at(-1);
    const settings = [change, ...rest.map((each) => `${prefix}_${each}`)].join(", ");
    await asAdmin(replica, `${settings}${words.key}`, words.start);
  });
  after(() => Promise.all([source?.stop(), replica?.stop(), redis?.stop()]));

  const adminOf = ({ environment: own, admin }: MysqlServer) => ({
    ...own,
    MYSQL_USERNAME: admin.username,
    MYSQL_PASSWORD: admin.password,
  });

  it("tells that it runs, and how far it is behind", () =>
    withContainer(environment, async (container) => {
      const health = await untilHealth(container, ({ mysql }) => {
        const { replication } = mysql;
        return replication?.role === "replica" && replication.running && replication.secondsBehind === 0;
      });
      expect(health).to.deep.include({ ready: true, warnings: [] });
    }));

  it("tells that it was stopped, and that it is ready all the same", () =>
    withContainer(environment, async (container) => {
      await asAdmin(replica, words.stop);
      const health = await container.health();
      expect(health.mysql.replication).to.deep.equal({ role: "replica", running: false, secondsBehind: undefined });
      expect(health).to.deep.include({
        ready: true,
        warnings: ["MySQL is a replica and its replication does not run"],
      });
      await asAdmin(replica, words.start);
      await untilHealth(container, ({ warnings }) => warnings.length === 0);
    }));

  it("tells that its source is gone", () =>
    withContainer(environment, async (container) => {
      await source.kill();
      const health = await untilHealth(container, ({ warnings }) => warnings.length > 0);
      expect(health.mysql.replication).to.include({ role: "replica", running: false });
    }));
});
