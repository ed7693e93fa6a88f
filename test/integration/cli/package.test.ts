import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { EXIT, exitCodesHelp } from "../../../src/cli/exitCodes.js";
import { createProgram } from "../../../src/cli/program.js";
import { type MysqlServer, startMysqlServer } from "../../../src/testing/index.js";
import { type Outcome, ROOT, Running } from "./running.js";
import { installPackage, packagedFiles } from "./servicePackage.js";

describe("the command line in the published package", function () {
  this.timeout(180_000);
  let server: MysqlServer;
  let folder: string;
  let guide: string;

  before(async () => {
    guide = await readFile(join(ROOT, "docs/migrations.md"), "utf8");
    folder = await installPackage();
    server = await startMysqlServer();
    const settings = Object.entries(server.environment).map(([name, value]) => `${name}="${value}"\n`);
    await writeFile(join(folder, ".env"), settings.join(""));
  });
  after(async () => {
    await rm(join(folder, ".env"), { force: true });
    await server?.stop();
  });

  /** In the service's folder, with nothing but its `.env` file to say where the server is, and no network for npx. */
  const shell = (script: string): Promise<Outcome> =>
    new Running("bash", ["-euo", "pipefail", "-c", script], {
      cwd: folder,
      env: { HOME: folder, npm_config_offline: "true", npm_config_update_notifier: "false" },
    }).outcome;

  it("holds what it needs at run time, and neither sources nor tests", async () => {
    const files = await packagedFiles();
    expect(files).to.include.members(["test/schema.sql", "dist/src/cli/main.js", "dist/migrations/index.js"]);
    const others = files.filter((file) => !/^(dist\/.*\.(js|d\.ts)|docs\/[a-z]+\.md|ops\/.*\.(json|yml))$/.test(file));
    expect(others).to.have.members(["package.json", "README.md", "CHANGELOG.md", "test/schema.sql"]);
    expect(files).to.include.members(["docs/migrations.md", "docs/operations.md", "ops/prometheus/alerts.yml"]);
    expect(files.filter((file) => file.includes(".test."))).to.deep.equal([]);
    expect(files.filter((file) => /^dist\/src\/cli\/(story|demo|meetingLife)/.test(file))).to.deep.equal([]);
  });

  it("runs every shell example of docs/migrations.md as it stands", async () => {
    const examples = [...guide.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, script]) => script as string);
    expect(examples).to.have.length(2);
    const [first, second] = [await shell(examples[0] as string), await shell(examples[1] as string)];
    expect(first.exit, first.stderr).to.equal(0);
    expect(first.stdout).to.include("\nApplied 6 migrations:").and.include("\n6 applied, 0 pending.\n");
    expect(first.stdout).to.match(/\nThe schema is as this version expects it\.\n$/);
    expect(second.exit, second.stderr).to.equal(0);
    const { migrations } = JSON.parse(await readFile(join(folder, "status.json"), "utf8"));
    expect(migrations).to.have.length(6);
    expect(second.stdout).to.include("Reverted 2 migrations:").and.include("Applied 2 migrations:");
  });

  it("finds the expected schema from a service's code too", async () => {
    const script = `
      import { checkSchema, loadDotenv, loadMysqlConfig, migrationStatus } from "doordarshan-data";
      loadDotenv();
      const config = loadMysqlConfig();
      console.log((await checkSchema(config)).tables.length, (await migrationStatus(config)).length);`;
    const { exit, stdout, stderr } = await shell(`node --input-type=module -e '${script}'`);
    expect({ exit, stdout, stderr }).to.deep.equal({ exit: 0, stdout: "0 6\n", stderr: "" });
  });

  it("creates migrations in its own repository only", async () => {
    const { exit, stderr } = await shell("npx doordarshan-data migrate create AddMeetingTitle");
    expect(exit).to.equal(2);
    expect(stderr).to.equal(
      "error: migrate create works in the repository of doordarshan-data only: its migrations are a part of the package\n",
    );
  });

  it("has a guide that names each command and option, and where exit codes are told", () => {
    const migrate = createProgram().commands.find((command) => command.name() === "migrate");
    for (const command of migrate?.commands ?? []) {
      expect(guide).to.match(new RegExp(`\`${command.name()}[\` ]`));
      for (const { long } of command.options) expect(guide).to.include(`\`${long}`);
    }
    expect(guide).to.include("(operations.md#exit-codes)");
    for (const code of Object.values(EXIT))
      expect(exitCodesHelp("migrate")).to.match(new RegExp(`(?:^  |\\()${code}\\b`, "m"));
  });
});
