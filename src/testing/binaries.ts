import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Server programs on this machine and what they need to run. */
export interface Binaries {
  find(...names: string[]): string | undefined;
  readonly environment: Record<string, string>;
  readonly mysqlArgs: readonly string[];
}

/** Servers stand in folders that are often not on an ordinary user's PATH. */
const SERVER_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/usr/local/mysql/bin"];

/** What is installed on the machine. */
export function machineBinaries(path: string): Binaries {
  const folders = [...path.split(delimiter).filter(Boolean), ...SERVER_FOLDERS];
  return { find: finder(folders), environment: { PATH: folders.join(delimiter) }, mysqlArgs: [] };
}

/** What was unpacked from packages below `prefix`, whose programs expect to stand below `/`. */
export function unpackedBinaries(prefix: string, libraryFolders: readonly string[]): Binaries {
  const usr = join(prefix, "usr");
  const folders = [join(usr, "bin"), join(usr, "sbin")];
  return {
    find: finder(folders),
    environment: {
      PATH: [...folders, "/usr/bin", "/bin"].join(delimiter),
      LD_LIBRARY_PATH: libraryFolders.join(delimiter),
    },
    mysqlArgs: [
      `--basedir=${usr}`,
      `--lc-messages-dir=${usr}/share/mysql`,
      `--character-sets-dir=${usr}/share/mysql/charsets`,
      `--plugin-dir=${usr}/lib/mysql/plugin`,
    ],
  };
}

function finder(folders: readonly string[]) {
  return (...names: string[]): string | undefined =>
    names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
