import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");

describe("the search for servers", () => {
  it("names every closed route and the three ways out when there are none", async () => {
    const { stdout } = await run({ DOORDARSHAN_TEST_SERVERS: "packages", PATH: "/nonexistent" });
    const { code, message } = JSON.parse(stdout) as { code: string; message: string };
    expect(code).to.equal("ErrServicesUnavailable");
    expect(message).to.contain("no apt-get on this machine");
    for (const wayOut of ["MYSQL_ENDPOINT", "REDIS_CLUSTER_ADDRESSES", "Docker engine", "mariadbd", "redis-server"])
      expect(message).to.contain(wayOut);
  });

  it("goes no further than Docker when the environment names an image that cannot be had", async () => {
    const { stdout } = await run({
      DOORDARSHAN_TEST_MYSQL_IMAGE: "doordarshan.invalid/none:1",
      DOORDARSHAN_TEST_REDIS_IMAGE: "doordarshan.invalid/none:1",
    });
    expect(stdout).to.contain("ErrServicesUnavailable").and.contain("DOORDARSHAN_TEST_MYSQL_IMAGE");
  });

  it("refuses a route it does not know", async () => {
    const { stdout } = await run({ DOORDARSHAN_TEST_SERVERS: "guess" });
    expect(stdout).to.contain("DOORDARSHAN_TEST_SERVERS must be one of docker, machine, packages");
  });
});

/** In a process of its own, since the search is made once in each. */
function run(environment: Record<string, string>) {
  const { DOCKER_HOST = "", PATH = "" } = process.env;
  return promisify(execFile)(process.execPath, ["--import", "tsx", join(here, "fixtures/findServers.ts")], {
    cwd: root,
    env: { PATH, ...(DOCKER_HOST && { DOCKER_HOST }), ...environment },
    timeout: 30_000,
  });
}
