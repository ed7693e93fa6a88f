import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./fixtures/migratorProcess.js";

const FIXTURE = fileURLToPath(new URL("fixtures/migratorProcess.ts", import.meta.url));

/** A process that migrates when told to; it has loaded all it needs before it is told. */
export class MigratorProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;

  constructor() {
    // Without the coverage of the tests: writing it takes longer than the process lives.
    this.#child = fork(FIXTURE, { execArgv: ["--import", "tsx"], env: { PATH: process.env.PATH } });
    this.#ready = once(this.#child, "message");
    // A process may die of what it is told, which its reader learns otherwise.
    this.#ready.catch(() => undefined);
  }

  /** Its report; undefined when it died by SIGKILL. */
  async obey(order: Order): Promise<Report | undefined> {
    await this.#ready;
    const report = once(this.#child, "message") as Promise<[Report]>;
    const exit = once(this.#child, "exit");
    this.#child.send(order);
    const [outcome] = await Promise.race([report, exit]);
    if (typeof outcome === "object" && outcome !== null) return outcome;
    const [code, signal] = await exit;
    if (signal === "SIGKILL") return undefined;
    throw new Error(`The process ended by itself: ${code}`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
