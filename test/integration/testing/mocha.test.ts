import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { loadConfig } from "../../../src/config/index.js";
import { closeDataSource, createDataSource, openDataSource } from "../../../src/mysql/dataSource.js";
import { type Services, startServices } from "../../../src/testing/index.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");

describe("the mocha plugin", function () {
  this.timeout(120_000);
  let services: Services;

  before(async () => {
    services = await startServices();
  });
  after(() => services?.stop());

  for (const [mode, options] of [
    ["serial", []],
    ["parallel", ["--parallel", "--jobs", "2"]],
  ] as const) {
    it(`gives each file a migrated database of its own, before the file's hooks: ${mode}`, async () => {
      const output = await runMocha([...options], services.environment);
      const names = [...output.matchAll(/^DATABASE (\S+)$/gm)].map(([, name]) => name as string);
      expect(output).to.contain("4 passing");
      expect(new Set(names).size).to.equal(2);
      const left = await databases(services.environment);
      expect(left).to.include("information_schema");
      for (const name of names) expect(left).not.to.include(name);
    });
  }

  it("does not try another server's credentials on the servers it starts", async () => {
    const leftovers = { MYSQL_SECRET_FILE: "/nonexistent", REDIS_CLUSTER_USERNAME: "x", REDIS_CLUSTER_PASSWORD: "y" };
    expect(await runMocha([], leftovers)).to.contain("4 passing");
  });

  it("gives a database to a file of which only some tests are selected", async () => {
    const output = await runMocha(["--grep", "migrated, empty"], services.environment);
    expect(output).to.contain("2 passing");
  });
});

async function runMocha(options: string[], environment: Record<string, string>): Promise<string> {
  const mocha = join(root, "node_modules/mocha/bin/mocha.js");
  const files = ["first", "second"].map((name) => join(here, "fixtures", `${name}.fixture.ts`));
  const plugin = join(root, "src/testing/index.ts");
  const args = [mocha, "--no-config", "--import=tsx", "--require", plugin, "--timeout", "20000", ...options, ...files];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    timeout: 100_000,
  });
  return stdout;
}

async function databases(environment: Record<string, string>): Promise<string[]> {
  const dataSource = createDataSource(loadConfig(environment));
  try {
    await openDataSource(dataSource, 5_000);
    const rows: { Database: string }[] = await dataSource.query("SHOW DATABASES");
    return rows.map((row) => row.Database);
  } finally {
    await closeDataSource(dataSource, 1_000);
  }
}
