import type { Place, Program } from "./place.js";

/** PEM texts for a server: its authority, its certificate and its key. */
export interface ServerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** One private server, and the faults that can be done to it. */
export interface Server {
  readonly host: string;
  readonly port: number;
  /** Where another private server reaches it, at the same `port`: a container's own address, or `host` where none are used. */
  readonly peerHost: string;
  /** As the server tells it, such as `10.11.19-MariaDB` or `7.0.15`. */
  readonly version: string;
  /** kill -9; resolves once the process is gone. */
  kill(): Promise<void>;
  /** Freezes the process (SIGSTOP): it takes connections and answers nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Kills the process where it still runs and starts it again on the same port and data; resolves once it is ready. */
  restart(): Promise<void>;
  /** Kills the server and removes its data. Idempotent. */
  stop(): Promise<void>;
}

/** The process of one server in a place, started by `launch` and started again by `restart`. */
export class ServerProcess {
  #program: Program | undefined;

  constructor(
    readonly place: Place,
    private readonly launch: () => Promise<Program>,
  ) {}

  async start(): Promise<Program> {
    this.#program = await this.launch();
    return this.#program;
  }

  async kill(): Promise<void> {
    await this.#program?.signal("KILL");
    await this.#program?.exited;
  }

  async pause(): Promise<void> {
    await this.#program?.signal("STOP");
  }

  async resume(): Promise<void> {
    await this.#program?.signal("CONT");
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }
}
