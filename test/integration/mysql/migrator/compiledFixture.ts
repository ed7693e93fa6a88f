import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const FIXTURE = fileURLToPath(new URL("fixtures/migratorProcess.ts", import.meta.url));

export interface Compiled {
  /** The JavaScript of `fixtures/migratorProcess.ts`. */
  readonly file: string;
  remove(): Promise<void>;
}

/**
 * Compiles the fixture and all that it imports into one file, once: many processes load it, and TypeScript and the many files of the
 * dependencies take most of their time.
 */
export async function compileFixture(): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), "doordarshan-fixture-"));
  // The sources find their package, and what may be missing, from where they are.
  await cp(join(ROOT, "package.json"), join(folder, "package.json"));
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const file = join(folder, "migratorProcess.js");
  await build({
    entryPoints: [FIXTURE],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    // TypeORM goes by the names of classes.
    keepNames: true,
    // Dependencies in CommonJS load Node's own modules by it.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "error",
  });
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}
