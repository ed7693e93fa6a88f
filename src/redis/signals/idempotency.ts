import { createHash } from "node:crypto";
import type { RedisClient } from "../client.js";
import type { PushOptions, StreamWriter } from "../streamWriter.js";
import { commandText, type Encoded, encode, join } from "../wire.js";
import { requestKeys, streamOf } from "./keys.js";

/**
 * Stores an entry unless its request id is known, and remembers it. Two hashes take turns, so that of each stream's idempotent entries
 * the latest `maxLength` at least are known and twice as many at most; they expire with the stream, and a stream that is gone is
 * forgotten. KEYS: stream, latest, earlier; ARGV: request id, milliseconds to live, length, fields and values.
 * A node whose slot is on the move serves the script while it has all of the keys, so each is there from the first entry on: the empty
 * field is no request id.
 *
 * Not by XADD's own IDMP (Redis 8.6 and later): that forgets after a day or 10,000 ids at the latest, by default after 100 seconds or
 * ids, and all at once when another program or the first publish of ours sets the bounds; and it does not tell a repeat from the first.
 */
const SCRIPT = `
local stream, latest, earlier = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', stream) == 0 then redis.call('UNLINK', latest, earlier) end
local known = redis.call('HGET', latest, ARGV[1]) or redis.call('HGET', earlier, ARGV[1])
if known then return {known, 1} end
local id = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 4))
local length = redis.call('HLEN', latest)
if length == 0 then redis.call('HSET', earlier, '', '') end
if length >= tonumber(ARGV[3]) then redis.call('RENAME', latest, earlier) end
redis.call('HSET', latest, ARGV[1], id)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return {id, 0}
`;
const SHA = createHash("sha1").update(SCRIPT).digest("hex");

export interface StoredOnce {
  readonly entryId: string;
  readonly duplicate: boolean;
}

export interface EncodedSignal {
  readonly meetingId: string;
  readonly requestId: string;
  readonly entry: Encoded;
}

/** Stores a signal unless its request id was stored before, which the server decides: so it is sent again whenever a reply is lost. */
export class IdempotentWriter {
  constructor(
    private readonly client: RedisClient,
    private readonly writer: StreamWriter,
  ) {}

  async append(signal: EncodedSignal, options: PushOptions): Promise<StoredOnce> {
    const { meetingId, requestId, entry } = signal;
    const { maxLength, ttlMs } = this.writer.retention(options);
    const keys = [streamOf(meetingId), ...requestKeys(meetingId)];
    const values = [requestId, String(ttlMs), String(maxLength)];
    const call = (command: string, script: string) => {
      const numbered = [String(keys.length), ...keys];
      const text = commandText(command, script, join(encode(numbered), encode(values)), entry);
      return { command, args: [script, ...numbered], text };
    };
    const { command, args, text } = call("EVALSHA", SHA);
    const { timeoutMs, signal: abort } = options;
    const sending = { kind: "idempotent", timeoutMs, signal: abort, text } as const;
    const reply = await this.client.send(command, args, { ...sending, withScript: call("EVAL", SCRIPT) });
    const [entryId, known] = reply as [string, number];
    return { entryId, duplicate: known === 1 };
  }
}
