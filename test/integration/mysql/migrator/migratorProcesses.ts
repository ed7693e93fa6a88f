import { type ChildProcess, fork, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import type { Order, Report } from "./fixtures/migratorProcess.js";

/** A process that migrates when told to; it has loaded all it needs before it is told. */
export class MigratorProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;
  #words = "";

  /** @param file the compiled fixture */
  constructor(file: string) {
    // Without the coverage of the tests: writing it takes longer than the process lives.
    const stdio: StdioOptions = ["ignore", "pipe", "inherit", "ipc"];
    this.#child = fork(file, { execArgv: [], env: { PATH: process.env.PATH }, stdio });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#words += text;
    });
    this.#ready = once(this.#child, "message");
    // A process may die of what it is told, which its reader learns otherwise.
    this.#ready.catch(() => undefined);
  }

  /** Its report, or what it died of. */
  async obey(order: Order): Promise<Report | { readonly diedOf: string }> {
    await this.#ready;
    const over = new AbortController();
    const report = once(this.#child, "message", over).then(([told]) => told as Report);
    const death = once(this.#child, "close", over).then(([code, signal]) => {
      if (signal !== "SIGKILL") throw new Error(`The process ended by itself: ${code}`);
      return { diedOf: this.#words };
    });
    for (const outcome of [report, death]) outcome.catch(() => undefined);
    this.#child.send(order);
    return Promise.race([report, death]).finally(() => over.abort());
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
