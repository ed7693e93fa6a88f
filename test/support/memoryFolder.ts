import { readFileSync, statfsSync } from "node:fs";

/**
 * The servers' data goes to memory where there is room for it: making tables takes half the time there, and a busy disk holds
 * nothing up. A killed server loses nothing by it, as its files stay. Whoever sets TMPDIR decides for himself.
 */
const FOLDER = "/dev/shm";
const NEEDED_BYTES = 4 * 1024 ** 3;

if (!process.env.TMPDIR && hasRoom()) process.env.TMPDIR = FOLDER;

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(FOLDER);
    return bavail * bsize >= NEEDED_BYTES && availableMemory() >= NEEDED_BYTES && mayRunPrograms();
  } catch {
    return false;
  }
}

/** The folder may be larger than the memory that is left for it. */
function availableMemory(): number {
  return 1024 * Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0);
}

/** The published package is installed to a temporary folder, and run there. */
function mayRunPrograms(): boolean {
  const [, , , options = "noexec"] =
    readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .findLast(([, folder]) => folder === FOLDER) ?? [];
  return !options.split(",").includes("noexec");
}
