import { expect } from "chai";
import { loadConfig } from "../../../src/config/index.js";
import { createDataSource } from "../../../src/index.js";
import { closeDataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
  startServices,
} from "../../../src/testing/index.js";

describe("services that the environment names", function () {
  this.timeout(90_000);
  let mysql: MysqlServer;
  let redis: RedisServer;
  let environment: Record<string, string>;

  before(async () => {
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    environment = { ...mysql.environment, ...redis.environment };
  });
  after(async () => {
    await Promise.all([mysql?.stop(), redis?.stop()]);
  });

  it("are used as they are, a single Redis too, and nothing is started beside them", async () => {
    const before = { ...process.env };
    Object.assign(process.env, environment);
    try {
      const services = await startServices();
      expect(services.environment).to.include(environment);
      expect(services.singleEnvironment).to.include(redis.environment);
      expect(services.source.redis).to.equal("Redis as named by REDIS_CLUSTER_ADDRESSES");
      await services.stop();
      expect(await redis.call("PING")).to.equal("PONG");
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });

  for (const form of ["Go DSN", "URL"] as const) {
    it(`keep their own database when one is created beside it: ${form} with a slash in its parameters`, async () => {
      const { MYSQL_USERNAME: user, MYSQL_PASSWORD: password, MYSQL_DB_NAME: database } = mysql.environment;
      const place = `${mysql.host}:${mysql.port}`;
      const dsn =
        form === "URL"
          ? `mysql://${user}:${password}@${place}/${database}?loc=Asia/Kolkata`
          : `${user}:${password}@tcp(${place})/${database}?loc=Asia%2FKolkata`;
      const created = await createDatabase({ ...redis.environment, MYSQL_CONNECTION_STRING: dsn });
      expect(loadConfig(created.environment).mysql.database).to.equal(created.name);
      expect(await tables(environment)).to.deep.equal([]);
      expect(await tables(created.environment)).to.include("meeting_status");
      await created.drop();
    });
  }
});

async function tables(environment: Record<string, string>): Promise<string[]> {
  const dataSource = createDataSource(loadConfig(environment));
  try {
    await openDataSource(dataSource, 5_000);
    const rows: { name: string }[] = await dataSource.query(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
    );
    return rows.map(({ name }) => name);
  } finally {
    await closeDataSource(dataSource, 1_000);
  }
}
