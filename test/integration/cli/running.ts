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

  /** What standard output has said until now. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Until standard error says `pattern`. @throws Error when the command ends without having said it */
  saysOnStderr(pattern: RegExp): Promise<void> {
    return this.#says(pattern, this.child.stderr, () => this.#stderr);
  }

  /** Until standard output says `pattern`. @throws Error when the command ends without having said it */
  saysOnStdout(pattern: RegExp): Promise<void> {
    return this.#says(pattern, this.child.stdout, () => this.#stdout);
  }

  async #says(pattern: RegExp, stream: NodeJS.ReadableStream | null, said: () => string): Promise<void> {
    const ended = this.outcome.then(() => "ended" as const);
    while (!pattern.test(said())) {
      const next = once(stream as NodeJS.ReadableStream, "data").then(() => "data" as const);
      if ((await Promise.race([next, ended])) === "ended" && !pattern.test(said()))
        throw new Error(`Ended without saying ${pattern}: ${this.#stdout}${this.#stderr}`);
    }
  }
}
