import { ConfigError, type ConfigProblem } from "../errors.js";
import type { ConfigNotice } from "./types.js";

/** Collects what is wrong and what is worth knowing, so that everything is told at once. */
export class Report {
  readonly notices: ConfigNotice[] = [];
  readonly #problems: ConfigProblem[] = [];

  problem(variable: string, problem: string): void {
    this.#problems.push({ variable, problem });
  }

  info(variable: string, message: string): void {
    this.notices.push({ level: "info", variable, message });
  }

  warn(variable: string, message: string): void {
    this.notices.push({ level: "warn", variable, message });
  }

  /** @throws ConfigError when there is a problem */
  throwProblems(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }
}
