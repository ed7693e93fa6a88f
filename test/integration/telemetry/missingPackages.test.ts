import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { type Outcome, ROOT, Running } from "../cli/running.js";
import { installPackage } from "../cli/servicePackage.js";

const PARTS = [
  { part: "doordarshan-data/prometheus", make: "prometheus", needs: "prom-client", versions: "^15.1.0" },
  { part: "doordarshan-data/opentelemetry", make: "openTelemetry", needs: "@opentelemetry/api", versions: "^1.9.0" },
] as const;

describe("the packages that only some services install", function () {
  this.timeout(180_000);
  /** A service without them. */
  let bare: string;
  /** A service of its own with both. */
  let full: string;

  before(async () => {
    bare = await installPackage();
    full = await mkdtemp(join(tmpdir(), "doordarshan-telemetry-"));
    await cp(join(bare, "node_modules"), join(full, "node_modules"), { recursive: true });
    for (const { needs } of PARTS) {
      await mkdir(dirname(join(full, "node_modules", needs)), { recursive: true });
      await symlink(join(ROOT, "node_modules", needs), join(full, "node_modules", needs));
    }
  });
  after(() => full && rm(full, { recursive: true }));

  const run = (cwd: string, script: string): Promise<Outcome> =>
    new Running(process.execPath, ["--input-type=module", "-e", script], { cwd, env: {} }).outcome;

  for (const { part, make, needs, versions } of PARTS) {
    it(`${part} says what to install where ${needs} is missing`, async () => {
      const { exit, stderr } = await run(bare, `import { ${make} } from "${part}"; ${make}();`);
      expect(exit).to.equal(1);
      expect(stderr).to.include(
        `MissingPackageError: ${part} needs ${needs}, which is not installed: npm install "${needs}@${versions}"`,
      );
    });

    it(`${part} works where it is installed`, async () => {
      const script = `
        import { ${make} } from "${part}";
        const { metrics } = ${make}();
        console.log(Object.keys(metrics).join());`;
      expect(await run(full, script)).to.deep.equal({ exit: 0, stdout: "counter,histogram,gauge\n", stderr: "" });
    });
  }

  it("are not needed by the rest of the package", async () => {
    const script = `
      import * as data from "doordarshan-data";
      import * as testing from "doordarshan-data/testing";
      console.log(typeof data.createContainer, data.MissingPackageError.name, typeof testing.startServices);`;
    expect(await run(bare, script)).to.deep.equal({
      exit: 0,
      stdout: "function MissingPackageError function\n",
      stderr: "",
    });
  });
});
