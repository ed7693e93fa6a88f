import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidInputError } from "../errors.js";

const INDEX = "migrations/index.ts";
const VERB_NOUN = /^(?:[A-Z][a-z0-9]+){2,}$/;
const LAST_IMPORT = /^import .*;\n(?!import )/m;
const END_OF_LIST = /^\] as const;$/m;

/**
 * Writes a migration without steps into the repository in `folder` and adds it to the list; returns its path in there.
 * Its timestamp is `now`, in milliseconds since 1970, or follows the newest one's.
 * @throws InvalidInputError for a name that is not a verb and a noun or is taken, and for another folder
 */
export async function createMigration(name: string, folder: string, now: number): Promise<string> {
  if (!VERB_NOUN.test(name)) throw new InvalidInputError("Name", "must be a verb and a noun, such as AddMeetingTitle");
  await requireRepository(folder);
  const index = await readFile(join(folder, INDEX), "utf8");
  const known = [...index.matchAll(/"\.\/(\d{13})-(\w+)\.js"/g)].map(([, timestamp, taken]) => ({ timestamp, taken }));
  if (known.some(({ taken }) => taken === name)) throw new InvalidInputError("Name", "is another migration's already");
  const timestamp = Math.max(now, ...known.map((each) => Number(each.timestamp) + 1));
  const file = `migrations/${timestamp}-${name}.ts`;
  await writeFile(join(folder, file), sourceOf(name, timestamp), { flag: "wx" });
  await writeFile(join(folder, INDEX), listed(index, name, timestamp));
  return file;
}

/** Elsewhere it would be a migration that no version of this package has. */
async function requireRepository(folder: string): Promise<void> {
  const manifest = await readFile(join(folder, "package.json"), "utf8").catch(() => "{}");
  if (/"name": "doordarshan-data"/.test(manifest)) return;
  throw new InvalidInputError(
    "migrate create",
    "works in the repository of doordarshan-data only: its migrations are a part of the package",
  );
}

function sourceOf(name: string, timestamp: number): string {
  return `import type { Step } from "../src/mysql/migrator/step.js";
import { SteppedMigration } from "../src/mysql/migrator/steppedMigration.js";

/** Frozen once it is released. Each step is one statement, from the builders of src/mysql/migrator/steps.ts. */
export class ${name}${timestamp} extends SteppedMigration {
  readonly upSteps: readonly Step[] = [];
  readonly downSteps: readonly Step[] = [];
}
`;
}

function listed(index: string, name: string, timestamp: number): string {
  return index
    .replace(LAST_IMPORT, (line) => `${line}import { ${name}${timestamp} } from "./${timestamp}-${name}.js";\n`)
    .replace(END_OF_LIST, (end) => `  ${name}${timestamp},\n${end}`);
}
