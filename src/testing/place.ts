import { ServerStartError } from "./errors.js";

export type ServerSignal = "KILL" | "STOP" | "CONT" | "TERM";

/** A server process that was started in a `Place`. */
export interface Program {
  readonly output: Output;
  /** Resolves once the process is gone, however it ended. */
  readonly exited: Promise<void>;
  signal(signal: ServerSignal): Promise<void>;
}

/** Where servers run: this machine, or one Docker container. Paths are the place's own. */
export interface Place {
  /** An empty folder that the servers may write to. */
  readonly folder: string;
  /** The address servers bind to; clients reach them at 127.0.0.1 in any case. */
  readonly bindAddress: string;
  /** Where servers in other places reach those in this one. */
  readonly peerAddress: string;
  /** What the MySQL server must be told about this place. */
  readonly mysqlArgs: readonly string[];
  /** The path of the first of these programs that exists here. */
  find(...names: string[]): Promise<string | undefined>;
  /** Makes a folder that the servers may write to, and returns its path. */
  makeFolder(name: string): Promise<string>;
  /** Writes a file that only the servers can read, and returns its path. */
  write(name: string, content: string): Promise<string>;
  /**
   * Runs a command to its end and returns what it printed.
   * @throws ServerStartError when it fails or is not done in time
   */
  run(command: readonly string[], timeoutMs: number): Promise<string>;
  start(command: readonly string[]): Promise<Program>;
  /** Kills what still runs and removes the folder. Idempotent. */
  close(): Promise<void>;
}

/** Where places come from: one of the routes. */
export interface Source {
  /** For messages, as in "MariaDB 10.11 (machine's binaries)". */
  readonly label: string;
  /** Whether what is in one of its places can be copied from another. */
  readonly sharesFiles: boolean;
  /** Opens a place whose servers will listen on `ports`. */
  open(ports: readonly number[]): Promise<Place>;
}

const KEPT_CHARACTERS = 16_384;

/** What a program printed: the last 16 KB are kept, and lines can be waited for. */
export class Output {
  #text = "";
  #closed = false;
  readonly #listeners = new Set<() => void>();

  append(text: string): void {
    this.#text = (this.#text + text).slice(-KEPT_CHARACTERS);
    for (const listener of this.#listeners) listener();
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener();
  }

  get text(): string {
    return this.#text;
  }

  get lastLines(): string {
    return this.#text.trimEnd().split("\n").slice(-5).join(" | ");
  }

  /** @throws ServerStartError when the program ends first or `timeoutMs` passes */
  async waitFor(pattern: RegExp, timeoutMs: number, what: string): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        act();
      };
      const fail = (how: string) =>
        settle(() => reject(new ServerStartError(`${what} ${how}; its last output: ${this.lastLines || "none"}`)));
      const check = () => {
        const found = this.#text.match(pattern);
        if (found) settle(() => resolve(found));
        else if (this.#closed) fail("ended before it was ready");
      };
      const timer = setTimeout(() => fail(`was not ready within ${timeoutMs} ms`), timeoutMs);
      this.#listeners.add(check);
      check();
    });
  }
}
