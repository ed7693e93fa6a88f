import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { createMigration } from "../../../src/cli/createMigration.js";
import { InvalidInputError } from "../../../src/errors.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const LATER = 1_999_999_999_999;

describe("migrate create", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "doordarshan-create-"));
    for (const part of ["package.json", "migrations"])
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const refusal = async (name: string): Promise<unknown> => {
    const index = await readFile(join(folder, "migrations/index.ts"), "utf8");
    try {
      await createMigration(name, folder, LATER);
    } catch (error) {
      expect(await readFile(join(folder, "migrations/index.ts"), "utf8")).to.equal(index);
      return error;
    }
    throw new Error(`Took ${name}`);
  };

  it("writes a migration and adds it to the list as the last one", async () => {
    const file = await createMigration("AddMeetingTitle", folder, LATER);
    expect(file).to.equal(`migrations/${LATER}-AddMeetingTitle.ts`);
    const before = await readFile(join(ROOT, "migrations/index.ts"), "utf8");
    const after = (await readFile(join(folder, "migrations/index.ts"), "utf8")).split("\n");
    const added = after.filter((line) => !before.split("\n").includes(line));
    expect(added).to.deep.equal([
      `import { AddMeetingTitle${LATER} } from "./${LATER}-AddMeetingTitle.js";`,
      `  AddMeetingTitle${LATER},`,
    ]);
    expect(after.slice(-3)).to.deep.equal([added[1], "] as const;", ""]);
  });

  it("gives it a timestamp after every other's, whatever the clock says", async () => {
    const second = await createMigration("DropSomething", folder, 0);
    const third = await createMigration("AddSomething", folder, 0);
    expect(third > second && second > "migrations/1795320000000").to.equal(true);
  });

  it("writes what is a migration of this package", async () => {
    const file = await createMigration("AddMeetingTitle", folder, LATER);
    // From the sources of this repository, so that nothing is loaded twice.
    const source = (await readFile(join(folder, file), "utf8")).replaceAll(
      "../src/",
      `${pathToFileURL(ROOT).href}src/`,
    );
    const copy = join(folder, "migration.ts");
    await writeFile(copy, source);
    const module = await import(pathToFileURL(copy).href);
    const migration = new module[`AddMeetingTitle${LATER}`]();
    expect(migration).to.include({ name: `AddMeetingTitle${LATER}`, timestamp: LATER });
    expect(migration).to.deep.include({ upSteps: [], downSteps: [] });
  });

  it("refuses what is not a verb and a noun, what is taken, and another folder", async () => {
    for (const name of ["", "Add", "addTitle", "Add_Title", "Add Title", "../AddTitle", "AddTitle.ts", "ADDTitle"])
      expect(await refusal(name), name)
        .to.be.instanceOf(InvalidInputError)
        .with.property("argument", "Name");
    expect(await refusal("CountLoads")).to.have.property("message", "Name is another migration's already");
    await writeFile(join(folder, "package.json"), '{ "name": "a-service" }');
    expect(await refusal("AddMeetingTitle")).to.have.property("argument", "migrate create");
    await rm(join(folder, "package.json"));
    expect(await refusal("AddMeetingTitle")).to.have.property("argument", "migrate create");
  });
});
