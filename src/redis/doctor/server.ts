import { setImmediate as nextTurn } from "node:timers/promises";
import type { Redis } from "ioredis";
import { RedisCommandError } from "../../errors.js";
import { closeDriver, type DriverFactory, type NodeAddress } from "../connection.js";
import { lastConnectionError } from "../connectionLog.js";
import { connectAdvice, isServerError, toDriverError } from "../driverErrors.js";
import { TrackedCommand } from "../trackedCommand.js";

/** What INFO tells, by field. */
export type Info = ReadonlyMap<string, string>;

/** `host:port`, an IPv6 address in brackets. */
export function nameOf({ host, port }: NodeAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** One server as the doctor talks to it: one connection, one attempt, and nothing waited for longer than `patienceMs`. */
export class Server {
  readonly name: string;
  readonly #redis: Redis;
  #info: Promise<{ readonly info: Info; readonly askedAt: number; readonly answeredAt: number }> | undefined;

  constructor(
    private readonly factory: DriverFactory,
    readonly address: NodeAddress,
    private readonly patienceMs: number,
  ) {
    this.name = nameOf(address);
    this.#redis = factory.node(address);
    // A failure is a finding, not something to try again; and INFO may be among what the user has no right to.
    Object.assign(this.#redis.options, { retryStrategy: null, reconnectOnError: null, enableReadyCheck: false });
  }

  /**
   * Connects, authenticates and pings. A user who may not PING has been let in all the same.
   * @throws RedisCommandError
   */
  async open(): Promise<void> {
    try {
      await this.#redis.connect();
    } catch (error) {
      throw this.#failure("connect", error);
    }
    const refusal = await this.#ping();
    // AUTH goes out right before PING, and ioredis tells of its answer a turn later; a default user without a password may PING all the same.
    await nextTurn();
    const cause = lastConnectionError(this.#redis);
    if (cause) throw new RedisCommandError("AUTH", cause);
    if (codeOf(refusal) === "NOAUTH") throw refusal;
  }

  /** Why it was refused; undefined: it was not. @throws RedisCommandError when there was no answer, or another */
  async #ping(): Promise<unknown> {
    try {
      await this.ask("PING");
      return undefined;
    } catch (error) {
      if (codeOf(error) === "NOAUTH" || isRefused(error)) return error;
      throw error;
    }
  }

  /** Sends one command. @throws RedisCommandError without its arguments */
  async ask(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const command = new TrackedCommand(name, args, this.patienceMs);
    // Where another node has the channel, ioredis emits this, and never settles the command.
    const onMoved = () => command.reject(Object.assign(new Error("MOVED"), { name: "ReplyError" }));
    if (name === "ssubscribe") this.#redis.once("moved", onMoved);
    try {
      this.#redis.sendCommand(command);
      command.watch();
      return await command.promise;
    } catch (error) {
      throw this.#failure(name.toUpperCase(), error);
    } finally {
      this.#redis.off("moved", onMoved);
    }
  }

  /** As it was when first asked for. @throws RedisCommandError */
  async info(): Promise<Info> {
    return (await this.timedInfo()).info;
  }

  /** INFO, and when it was asked and answered, in milliseconds since 1970 on this machine's clock. @throws RedisCommandError */
  timedInfo() {
    this.#info ??= this.#askInfo();
    return this.#info;
  }

  async #askInfo() {
    const askedAt = Date.now();
    const text = String(await this.ask("INFO"));
    const answeredAt = Date.now();
    const pairs = [...text.matchAll(/^([^#:\r\n]+):(.*?)\r?$/gm)].map((line) => [line[1], line[2]] as [string, string]);
    return { info: new Map(pairs), askedAt, answeredAt };
  }

  /** Calls `use` with another connection to the same server, and closes it. */
  async apart<T>(use: (server: Server) => Promise<T>): Promise<T> {
    const other = new Server(this.factory, this.address, this.patienceMs);
    try {
      await other.open();
      return await use(other);
    } finally {
      other.close();
    }
  }

  close(): void {
    closeDriver(this.#redis);
  }

  /** ioredis says only that the connection is closed; why, is known from the connection itself. */
  #failure(name: string, error: unknown): RedisCommandError {
    const answered = isServerError(error);
    const cause = answered ? undefined : lastConnectionError(this.#redis);
    const failure = new RedisCommandError(name, cause ?? toDriverError(error));
    if (answered) answers.add(failure);
    return failure;
  }
}

const answers = new WeakSet<RedisCommandError>();

/** Whether it is what the server answered, rather than that no answer came. */
export function isAnswer(error: unknown): boolean {
  return error instanceof RedisCommandError && answers.has(error);
}

/** Whether the server answered that this user may not do that. */
export function isRefused(error: unknown): boolean {
  return codeOf(error) === "NOPERM";
}

/** Whether the server keeps the command from this user, or from everybody. */
export function isWithheld(error: unknown): boolean {
  return isRefused(error) || (isAnswer(error) && UNKNOWN.test((error as Error).message));
}

const UNKNOWN = /unknown command/i;

/** The system's or the server's code of what went wrong, such as `ECONNREFUSED` or `WRONGPASS`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof RedisCommandError ? toDriverError(error.cause).driverCode : undefined;
}

/** Answers that say that the server is there, and what is the matter with it. */
const BY_ANSWER: readonly (readonly [RegExp, string])[] = [
  [
    /max number of clients/i,
    "Raise maxclients, or see in CLIENT LIST who has all connections, and end what nobody needs",
  ],
  [/\bLOADING\b/, "The server is reading its data: wait, and see in its log how far it is"],
  [UNKNOWN, "Undo the command's renaming (rename-command), or use a server that has it"],
];

/** What the operator should do about it. */
export function adviceOn(error: RedisCommandError, tls: boolean): string {
  const known = BY_ANSWER.find(([answer]) => answer.test(error.message))?.[1];
  const advice = known ?? connectAdvice(toDriverError(error.cause), tls);
  return `${advice.charAt(0).toUpperCase()}${advice.slice(1)}`;
}
