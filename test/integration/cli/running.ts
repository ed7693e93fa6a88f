import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export interface Outcome {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export class Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  #stdout = "";
  #stderr = "";

  constructor(command: string, args: readonly string[], { cwd, env }: { cwd: string; env: Record<string, string> }) {
    this.child = spawn(command, args, {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk) => {
      this.#stdout += chunk;
    });
    this.child.stderr?.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.outcome = once(this.child, "close").then(([exit]) => ({ exit, stdout: this.#stdout, stderr: this.#stderr }));
  }

  /** Until standard error says `pattern`. @throws Error when the command ends without having said it */
  async saysOnStderr(pattern: RegExp): Promise<void> {
    const ended = this.outcome.then(() => "ended" as const);
    while (!pattern.test(this.#stderr)) {
      const next = once(this.child.stderr as NodeJS.ReadableStream, "data").then(() => "data" as const);
      if ((await Promise.race([next, ended])) === "ended" && !pattern.test(this.#stderr))
        throw new Error(`Ended without saying ${pattern}: ${this.#stderr}`);
    }
  }
}
