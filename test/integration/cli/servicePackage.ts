import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Outcome, ROOT, Running } from "./running.js";

const run = promisify(execFile);
const NAME = "doordarshan-data";

let installing: Promise<string> | undefined;

/**
 * A service's folder with the package as `npm pack` makes it, and its dependencies, installed without a network; the same for
 * every file of a run.
 */
export function installPackage(): Promise<string> {
  installing ??= install();
  return installing;
}

async function install(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "doordarshan-service-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: ROOT });
  const packed = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [{ filename: string }];
  const modules = join(folder, "node_modules");
  await mkdir(join(modules, NAME), { recursive: true });
  const archive = join(folder, packed[0].filename);
  await run("tar", ["-xzf", archive, "-C", join(modules, NAME), "--strip-components=1"]);
  await linkDependencies(modules);
  await linkCommand(modules);
  return folder;
}

/** Those of the package, not those it is developed with; each finds its own beside its real place. */
async function linkDependencies(modules: string): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(join(modules, NAME, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) await symlink(join(ROOT, "node_modules", name), join(modules, name));
}

/** As npm does: a link in `.bin`, and the file may be executed. */
async function linkCommand(modules: string): Promise<void> {
  const { bin } = JSON.parse(await readFile(join(modules, NAME, "package.json"), "utf8"));
  await mkdir(join(modules, ".bin"));
  for (const [command, file] of Object.entries(bin as Record<string, string>)) {
    await symlink(join("..", NAME, file), join(modules, ".bin", command));
    await run("chmod", ["+x", join(modules, NAME, file)]);
  }
}

/** What is in the package, as paths. */
export async function packagedFiles(): Promise<string[]> {
  const folder = join(await installPackage(), "node_modules", NAME);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** `doordarshan-data migrate …` as a service runs it. */
export function startMigrate(env: Record<string, string>, args: readonly string[]): Promise<Running> {
  return startCommand(env, ["migrate", ...args]);
}

export async function migrate(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  return (await startMigrate(env, args)).outcome;
}

/** `doordarshan-data …` as a service runs it. */
export async function startCommand(env: Record<string, string>, args: readonly string[]): Promise<Running> {
  const cwd = await installPackage();
  return new Running(process.execPath, [COMMAND, ...args], { cwd, env });
}

/** A shell in the service's folder; `$0` is Node. */
export async function startShell(env: Record<string, string>, script: string): Promise<Running> {
  const cwd = await installPackage();
  return new Running("sh", ["-c", script, process.execPath], { cwd, env });
}

/** The same on a terminal of so many columns and rows; its process id is the first that it says, on standard output as everything. */
export async function startOnTerminal(
  env: Record<string, string>,
  args: readonly string[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
): Promise<Running> {
  const cwd = await installPackage();
  const command = [process.execPath, COMMAND, ...args].map((arg) => `'${arg}'`).join(" ");
  const script = `stty cols ${columns} rows ${rows}; echo "pid $$"; exec ${command}`;
  // Of Debian's essential packages; it gives the command a terminal of its own and its exit code.
  return new Running("script", ["-qec", script, "/dev/null"], {
    cwd,
    env: { SHELL: "/bin/sh", TERM: "xterm", ...env },
  });
}

const COMMAND = join("node_modules", ".bin", NAME);
