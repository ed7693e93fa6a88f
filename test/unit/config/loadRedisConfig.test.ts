import { expect } from "chai";
import { loadRedisConfig } from "../../../src/config/index.js";
import { ConfigError, ConfigNilError } from "../../../src/errors.js";

const redis = { REDIS_CLUSTER_ADDRESSES: "a:1", REDIS_CLUSTER_MODE_ON: "false" };

describe("loadRedisConfig", () => {
  it("reads Redis' part, whatever is wrong with MySQL's", () => {
    const config = loadRedisConfig({ ...redis, MYSQL_PORT: "no number", MYSQL_PASWORD: "misspelt" });
    expect(config.redis).to.deep.include({ mode: "single", addresses: [{ host: "a", port: 1 }] });
    expect(config).to.have.all.keys("redis", "notices");
    expect(config.notices).to.deep.equal([]);
    expect(Object.isFrozen(config.redis.addresses)).to.equal(true);
  });

  it("tells what is wrong with it, and warns of what it does not know", () => {
    expect(() => loadRedisConfig({ MYSQL_ENDPOINT: "h" })).to.throw(ConfigError, "REDIS_CLUSTER_ADDRESSES is required");
    const { notices } = loadRedisConfig({ ...redis, REDIS_CLUSTER_PASWORD: "x" });
    expect(notices.map(({ variable }) => variable)).to.deep.equal(["REDIS_CLUSTER_PASWORD"]);
    expect(() => loadRedisConfig(null as never)).to.throw(ConfigNilError);
  });
});
