import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Binaries, machineBinaries, unpackedBinaries } from "./binaries.js";
import { cacheFolder } from "./cacheFolder.js";
import type { Search, StoreName } from "./sources.js";

const execute = promisify(execFile);

const FETCHED_WITHIN_MS = 300_000;

/** The first set that the distribution knows is taken; later ones carry the names of older releases. */
const PACKAGES: Record<StoreName, readonly (readonly string[])[]> = {
  mysql: [
    ["mariadb-server-core", "mariadb-client-core"],
    ["mariadb-server-core-10.6", "mariadb-client-core-10.6"],
  ],
  redis: [["redis-tools"]],
};

const PROBES = { mysql: ["usr/sbin/mariadbd"], redis: ["usr/bin/redis-server"] } as const;

/**
 * Server programs out of Debian's or Ubuntu's packages, unpacked into a cache folder: nothing is installed, no package
 * script runs, no service starts. Undefined where that is not possible, after saying why.
 */
export async function fetchPackages({ store, progress, closed }: Search): Promise<Binaries | undefined> {
  if (!machineBinaries(process.env.PATH ?? "").find("apt-get")) {
    closed("no apt-get on this machine to fetch packages with");
    return undefined;
  }
  try {
    return await unpacked(store, progress);
  } catch (error) {
    closed(`fetching packages failed: ${firstLine(error)}`);
    return undefined;
  }
}

async function unpacked(store: StoreName, progress: Search["progress"]): Promise<Binaries> {
  const cache = await cacheFolder();
  const prefix = join(cache, `${store}-${await releaseKey()}`);
  if (!(await runs(store, prefix))) {
    await rm(prefix, { recursive: true, force: true });
    await fetchInto(prefix, store, cache, progress);
    if (!(await runs(store, prefix))) throw new Error(`${PROBES[store][0]} from the packages does not run here`);
  }
  return unpackedBinaries(prefix, await libraryFolders(prefix));
}

/** Another release or processor needs other packages. */
async function releaseKey(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  return createHash("sha256").update(`${release}${arch()}`).digest("hex").slice(0, 12);
}

async function runs(store: StoreName, prefix: string): Promise<boolean> {
  const program = join(prefix, PROBES[store][0]);
  if (!existsSync(program)) return false;
  const { environment } = unpackedBinaries(prefix, await libraryFolders(prefix));
  return execute(program, ["--version"], { env: environment, timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

/** Fills a folder of its own and renames it, so that two runs at once do not see each other's halves. */
async function fetchInto(prefix: string, store: StoreName, cache: string, progress: Search["progress"]): Promise<void> {
  const work = await mkdtemp(join(cache, "fetching-"));
  try {
    const names = await resolvePackages(store, work, progress);
    progress(`fetching packages ${names.join(" ")} (unpacked into ${cache}, nothing is installed)`);
    await aptGet(work, ["download", ...names]);
    await mkdir(join(work, "root"), { mode: 0o755 });
    for (const file of (await readdir(work)).filter((name) => name.endsWith(".deb")))
      await execute("dpkg-deb", ["-x", join(work, file), join(work, "root")], { timeout: FETCHED_WITHIN_MS });
    await completeRedis(join(work, "root"));
    await rename(join(work, "root"), prefix).catch((error: NodeJS.ErrnoException) => {
      // Another run was faster.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The server is one program with redis-check-rdb, which acts by the name it is called by. */
async function completeRedis(root: string): Promise<void> {
  if (existsSync(join(root, "usr/bin/redis-check-rdb")) && !existsSync(join(root, "usr/bin/redis-server")))
    await symlink("redis-check-rdb", join(root, "usr/bin/redis-server"));
}

/** The packages and those of their dependencies that are not installed. Reads fresh package lists where those of the system do not do. */
async function resolvePackages(store: StoreName, work: string, progress: Search["progress"]): Promise<string[]> {
  try {
    const names = await closure(store, work);
    // A list may be older than the archive, which keeps only the newest version.
    await aptGet(work, ["download", "--print-uris", ...names]);
    return names;
  } catch {
    progress("reading the distribution's package lists");
    await mkdir(join(work, "lists", "partial"), { recursive: true });
    await aptGet(work, ["update"]);
    return closure(store, work);
  }
}

async function closure(store: StoreName, work: string): Promise<string[]> {
  let failure: unknown;
  for (const names of PACKAGES[store]) {
    try {
      const plan = await aptGet(work, ["install", "-s", "--no-install-recommends", ...names]);
      const missing = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name as string);
      return [...new Set([...names, ...missing])];
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Uses package lists of this fetch's own as soon as `update` has made them; never writes to the system's. */
async function aptGet(work: string, args: readonly string[]): Promise<string> {
  const own = existsSync(join(work, "lists")) ? ["-o", `Dir::State::lists=${work}/lists`] : [];
  const isolated = ["-o", `Dir::Cache=${work}/cache`, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"];
  await mkdir(join(work, "cache", "archives", "partial"), { recursive: true });
  const { stdout } = await execute("apt-get", ["-qq", ...own, ...isolated, ...args], {
    cwd: work,
    timeout: FETCHED_WITHIN_MS,
    maxBuffer: 16 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
  });
  return stdout;
}

async function libraryFolders(prefix: string): Promise<string[]> {
  if (!existsSync(prefix)) return [];
  const files = await readdir(prefix, { recursive: true });
  const libraries = files.filter((file) => /\/lib[^/]*\.so(\.|$)/.test(file));
  return [...new Set(libraries.map((file) => join(prefix, dirname(file))))];
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  const lines = (stderr || message || String(error)).trim().split("\n");
  return lines.find((line) => line.startsWith("E:")) ?? lines[0] ?? "";
}
