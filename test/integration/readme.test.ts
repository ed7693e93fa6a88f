import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createDatabase, type Services, startServices, type TestDatabase } from "../../src/testing/index.js";
import { configurationTable } from "../support/configurationTable.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
// Not awaited: mocha loads a file that awaits at its top level in another way, and the sources with it a second time.
const examplesIn = (text: string) => [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
/** Whose examples are run. */
const DOCUMENTS = ["README.md", "docs/signals.md", "docs/health.md", "docs/metrics.md"];
const textOf = (document: string) => readFileSync(`${root}${document}`, "utf8");
const readme = textOf("README.md");

describe("README.md and the examples of docs/", () => {
  let services: Services;
  let database: TestDatabase;

  before(async function () {
    this.timeout(120_000);
    services = await startServices();
    database = await createDatabase(services.environment);
  });

  after(async () => {
    await database?.drop();
    await services?.stop();
  });

  it("is short enough to read", () => {
    expect(readme.split("\n").length).to.be.at.most(250);
  });

  it("links only to what is there, as do the other documents", () => {
    const pages = readdirSync(`${root}docs`).map((name) => `docs/${name}`);
    for (const document of ["README.md", "CHANGELOG.md", ...pages.filter((name) => name.endsWith(".md"))])
      for (const [, target = ""] of textOf(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        expect(existsSync(new URL(target, `file://${root}${document}`)), `${document} links to ${target}`).to.equal(
          true,
        );
  });

  it("has the table of variables that the code has", () => {
    const [, table] = /<!-- configuration -->\n([\s\S]*?)\n?<!-- \/configuration -->/.exec(readme) ?? [];
    expect(table, "paste test/support/configurationTable.ts' output between the markers").to.equal(
      configurationTable(),
    );
  });

  it("names every dependency and nothing else in its dependency table", async () => {
    const { dependencies } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
    const [, table] = /\| dependency \| why \|\n\|---\|---\|\n([\s\S]*?)\n\n/.exec(readme) ?? [];
    const named = (table ?? "").split("\n").flatMap((row) => (row.split("|")[1] ?? "").split(","));
    expect(named.map((name) => name.trim().split(" ")[0])).to.have.members(Object.keys(dependencies));
  });

  it("names only scripts that exist", async () => {
    const { scripts } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
    const named = [...readme.matchAll(/npm (?:run )?([a-z][a-z:]+)/g)].map(([, name]) => name as string);
    for (const name of named.filter((each) => !["ci", "install"].includes(each)))
      expect(scripts).to.have.property(name);
  });

  for (const document of DOCUMENTS) {
    for (const [index, code] of examplesIn(textOf(document)).entries()) {
      it(`runs example ${index + 1} of ${document} as it stands`, async function () {
        this.timeout(120_000);
        expect(await run(code, `${document.replace(/\W/g, "-")}-${index}`)).to.deep.equal({ exitCode: 0, stderr: "" });
      });
    }
  }

  /** Runs an example in a process of its own, with the package's name made to mean the sources. */
  async function run(code: string, name: string): Promise<{ exitCode: number | null; stderr: string }> {
    const file = `${root}test/readme-example-${process.pid}-${name}.ts`;
    const sources = code
      .replaceAll('"doordarshan-data/testing"', '"../src/testing/index.js"')
      .replaceAll('"doordarshan-data/prometheus"', '"../src/telemetry/prometheus.js"')
      .replaceAll('"doordarshan-data/opentelemetry"', '"../src/telemetry/openTelemetry.js"')
      .replaceAll('"doordarshan-data"', '"../src/index.js"');
    await writeFile(file, sources);
    try {
      const env = { ...process.env, ...database.environment };
      const child = spawn(process.execPath, ["--import", "tsx", file], { cwd: root, env });
      let stderr = "";
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
      return { exitCode, stderr };
    } finally {
      await rm(file);
    }
  }
});
