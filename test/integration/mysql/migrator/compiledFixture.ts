import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const FIXTURE = fileURLToPath(new URL("fixtures/migratorProcess.ts", import.meta.url));

export interface Compiled {
  /** The JavaScript of `fixtures/migratorProcess.ts`. */
  readonly file: string;
  remove(): Promise<void>;
}

/** Compiles the fixture and what it imports, once: many processes load it, and TypeScript takes most of their time. */
export async function compileFixture(): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), "doordarshan-fixture-"));
  await cp(join(ROOT, "package.json"), join(folder, "package.json"));
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const compilerOptions = { rootDir: ROOT, outDir: folder, declaration: false, sourceMap: false };
  const config = { extends: join(ROOT, "tsconfig.build.json"), compilerOptions, include: [], files: [FIXTURE] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await promisify(execFile)(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]);
  return {
    file: join(folder, relative(ROOT, FIXTURE)).replace(/\.ts$/, ".js"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
