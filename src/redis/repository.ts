import type { RedisConfig } from "../config/types.js";
import { InvalidInputError } from "../errors.js";
import { type Instruments, NO_INSTRUMENTS } from "../telemetry/instruments.js";
import type { Logger } from "../telemetry/logger.js";
import type { RedisClient, Subscription } from "./client.js";
import { checkMessage, checkName, checkStream, checkWhole, type StreamValues, toEntry } from "./input.js";
import { type CallOptions, type PushOptions, StreamWriter } from "./streamWriter.js";
import { type TracedMethod, traced } from "./telemetry/traced.js";
import { encode } from "./wire.js";

export type { CallOptions, PushOptions } from "./streamWriter.js";

export interface ReadOptions extends CallOptions {
  /** Entries after this id. Default `0-0`, from the start. */
  readonly after?: string;
  /** Most entries returned, 1 to 10,000. Default 100. */
  readonly count?: number;
}

/** An entry as it stands in the stream. `fields` has no prototype; of a field given twice the last value is kept. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface RedisRepository {
  /**
   * Appends an entry and resolves with its id: it is stored. Never sent twice.
   * @throws NotStoredError, BackpressureError, OperationAbortedError, RedisCommandError, InvalidInputError the entry was certainly not stored
   * @throws PublishUnknownError the reply was lost: the entry may or may not be stored
   */
  pushToStream(stream: string, values: StreamValues, options?: PushOptions): Promise<string>;
  /** Entries in order of id; empty when there is no such stream. */
  readStream(stream: string, options?: ReadOptions): Promise<StreamEntry[]>;
  /**
   * Publishes to a channel (pub/sub: nothing is kept) and resolves with how many subscribers the node that took it reached.
   * In a cluster of Redis 7 or later by SPUBLISH.
   * @throws as `pushToStream`
   */
  publish(channel: string, message: string, options?: CallOptions): Promise<number>;
  /**
   * Calls `handler` with each message of the channel, until `close()` or `signal`. Resolves when the server has confirmed it;
   * subscribed again after a reconnection, but what is published in between is missed, as always with pub/sub.
   */
  subscribe(
    channel: string,
    handler: (message: string) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Subscription>;
}

const MAX_COUNT = 10_000;
const ENTRY_ID = /^\d{1,20}-\d{1,20}$/;

/** What becomes a span. Names of streams and channels are left out: they may hold anything. */
const METHODS: Readonly<Record<keyof RedisRepository, TracedMethod>> = {
  pushToStream: { command: "XADD", kind: "producer" },
  readStream: { command: "XRANGE" },
  publish: { command: "PUBLISH", kind: "producer" },
  subscribe: { command: "SUBSCRIBE" },
};

/** `instruments`: default none, nothing is traced. */
export function createRedisRepository(
  client: RedisClient,
  config: RedisConfig,
  logger: Logger,
  { tracer }: Pick<Instruments, "tracer"> = NO_INSTRUMENTS,
): RedisRepository {
  const repository = new ClientRedisRepository(client, config, new StreamWriter(client, config, logger));
  return traced<RedisRepository>(repository, "redis", METHODS, { tracer, config });
}

class ClientRedisRepository implements RedisRepository {
  constructor(
    private readonly client: RedisClient,
    private readonly config: RedisConfig,
    private readonly writer: StreamWriter,
  ) {}

  async pushToStream(stream: string, values: StreamValues, options: PushOptions = {}): Promise<string> {
    const key = checkStream(stream);
    const entry = toEntry(values, this.config.maxPayloadBytes);
    return this.writer.append(key, encode(entry), options);
  }

  async readStream(stream: string, options: ReadOptions = {}): Promise<StreamEntry[]> {
    const { after = "0-0", count = 100 } = options;
    if (typeof after !== "string" || !ENTRY_ID.test(after))
      throw new InvalidInputError("options.after", 'must be an entry id such as "0-0"');
    if (checkWhole("options.count", count) > MAX_COUNT)
      throw new InvalidInputError("options.count", `must be at most ${MAX_COUNT}`);
    const args = [checkStream(stream), `(${after}`, "+", "COUNT", count];
    const entries = await this.client.send("XRANGE", args, { ...callOptions(options), kind: "read" });
    return (entries as [string, string[]][]).map(toStreamEntry);
  }

  async publish(channel: string, message: string, options: CallOptions = {}): Promise<number> {
    const args = [checkName("channel", channel), checkMessage(message, this.config.maxPayloadBytes)];
    const command = this.client.shardedPubSub ? "SPUBLISH" : "PUBLISH";
    return Number(await this.client.send(command, args, { ...callOptions(options), kind: "write" }));
  }

  async subscribe(
    channel: string,
    handler: (message: string) => unknown,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Subscription> {
    if (typeof handler !== "function") throw new InvalidInputError("handler", "must be a function");
    return this.client.subscribe(checkName("channel", channel), handler, signal);
  }
}

function callOptions({ timeoutMs, signal }: CallOptions): CallOptions {
  return { ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
}

function toStreamEntry([id, pairs]: [string, string[]]): StreamEntry {
  const fields: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
  return { id, fields };
}
