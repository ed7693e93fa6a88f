import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Binaries } from "./binaries.js";
import { ServerStartError } from "./errors.js";
import { Output, type Place, type Program, type ServerSignal } from "./place.js";
import { serverAccount } from "./serverAccount.js";

/** Kills the servers and removes the folder when this process goes away, even by SIGKILL: its standard input ends then. */
const WATCHDOG = `cat >/dev/null
for file in "$1"/*.pid; do [ -e "$file" ] && kill -9 "$(basename "$file" .pid)"; done
rm -rf "$1"`;

/** Servers as private processes on this machine, in a temporary folder, unprivileged also when this process is root. */
export class LocalPlace implements Place {
  readonly bindAddress = "127.0.0.1";
  readonly peerAddress = "127.0.0.1";
  readonly folder: string;
  readonly mysqlArgs: readonly string[];
  readonly #binaries: Binaries;
  readonly #account = serverAccount();
  readonly #watchdog: ChildProcess;
  readonly #running = new Map<ChildProcess, Promise<void>>();

  constructor(binaries: Binaries) {
    this.#binaries = binaries;
    this.mysqlArgs = binaries.mysqlArgs;
    this.folder = mkdtempSync(join(temporaryFolder(), "doordarshan-"));
    this.#handOver(this.folder);
    this.#watchdog = spawn("sh", ["-c", WATCHDOG, "sh", this.folder], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    // The watchdog alone is no reason for this process to stay.
    this.#watchdog.unref();
    (this.#watchdog.stdin as unknown as { unref(): void }).unref();
  }

  async find(...names: string[]): Promise<string | undefined> {
    return this.#binaries.find(...names);
  }

  async makeFolder(name: string): Promise<string> {
    const path = join(this.folder, name);
    mkdirSync(path, { mode: 0o700 });
    return this.#handOver(path);
  }

  async write(name: string, content: string): Promise<string> {
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return this.#handOver(path);
  }

  #handOver(path: string): string {
    if (this.#account) chownSync(path, this.#account.uid, this.#account.gid);
    return path;
  }

  async run(command: readonly string[], timeoutMs: number): Promise<string> {
    const { child, output, exited } = this.#spawn(command);
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    await exited;
    clearTimeout(timer);
    if (child.exitCode === 0) return output.text;
    const how = child.signalCode ? `was not done within ${timeoutMs} ms` : `exited with ${child.exitCode}`;
    throw new ServerStartError(`${command[0]} ${how}: ${output.lastLines}`);
  }

  async start(command: readonly string[]): Promise<Program> {
    const { child, output, exited } = this.#spawn(command);
    const signal = async (name: ServerSignal) => {
      child.kill(`SIG${name}`);
      if (name === "STOP" && child.pid) await untilStopped(child.pid);
    };
    return { output, exited, signal };
  }

  #spawn(command: readonly string[]) {
    const child = spawn(command[0] as string, command.slice(1), {
      cwd: this.folder,
      env: { ...this.#binaries.environment, HOME: this.folder, TMPDIR: this.folder, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
      // Its own session: a Ctrl-C in the terminal is for this process, which then ends its servers in order.
      detached: true,
      ...this.#account,
    });
    const output = new Output();
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output.append(String(data)));
    const exited = this.#untilGone(child, output);
    this.#running.set(child, exited);
    return { child, output, exited };
  }

  async #untilGone(child: ChildProcess, output: Output): Promise<void> {
    const pidFile = join(this.folder, `${child.pid}.pid`);
    if (child.pid) writeFileSync(pidFile, "");
    await once(child, "close").catch((error: Error) => output.append(error.message));
    this.#running.delete(child);
    rmSync(pidFile, { force: true });
    output.close();
  }

  async close(): Promise<void> {
    for (const child of this.#running.keys()) child.kill("SIGKILL");
    await Promise.all(this.#running.values());
    rmSync(this.folder, { recursive: true, force: true });
    this.#watchdog.stdin?.end();
  }
}

/** The temporary folder, or `/tmp` where the account that the servers run as could not get there. */
function temporaryFolder(): string {
  const folder = tmpdir();
  for (let path = folder; path !== dirname(path); path = dirname(path)) {
    if (serverAccount() && (statSync(path).mode & 0o001) === 0) return "/tmp";
  }
  return folder;
}

/** A busy machine takes a moment to stop every thread, and one that still runs may answer. Only Linux tells. */
async function untilStopped(pid: number): Promise<void> {
  const giveUp = performance.now() + 2_000;
  while (process.platform === "linux" && performance.now() < giveUp) {
    const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
    const states = await Promise.all(
      threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, "utf8").catch(() => "")),
    );
    // The state stands behind the name, which is in parentheses and may hold any character.
    if (states.every((stat) => stat === "" || /^ [TtXZ]/.test(stat.slice(stat.lastIndexOf(")") + 1)))) return;
    await setImmediate();
  }
}
