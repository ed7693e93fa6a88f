import { lstat, mkdir } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder that outlives this process, that only this user may write to and that the servers' account can read.
 * @throws Error when there is none
 */
export async function cacheFolder(): Promise<string> {
  for (const folder of candidates()) if (await isOurs(folder)) return folder;
  throw new Error("there is no folder to keep them in");
}

function candidates(): string[] {
  const uid = process.getuid?.() ?? 0;
  // The home folder of root is closed to the account that servers run as.
  const lasting = uid === 0 ? "/var/cache" : process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return [join(lasting, "doordarshan-data"), join(tmpdir(), `doordarshan-data-${uid}`)];
}

/** In a shared folder another user could have put a folder of this name, or a link. */
async function isOurs(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const status = await lstat(folder);
    return status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o022) === 0;
  } catch {
    return false;
  }
}
