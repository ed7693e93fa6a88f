import { once } from "node:events";
import { loadDotenv, loadRedisConfig, type RedisConfig } from "../config/index.js";
import { InvalidInputError } from "../errors.js";
import { checkId } from "../ids.js";
import { createRedisClient, type RedisClient } from "../redis/client.js";
import { createRedisRepository } from "../redis/repository.js";
import type { SubscriptionEvent } from "../redis/signals/events.js";
import { createSignals } from "../redis/signals/signals.js";
import { checkFrom, checkMeetingIds } from "../redis/signals/subscribeInput.js";
import { runCommand, tellNotices, untilStopped } from "./commandRun.js";
import { ConnectionNotes } from "./connectionNotes.js";
import type { Reporter } from "./reporter.js";
import { harmless, jsonLine, terminalOf } from "./terminalText.js";
import { eventJson, eventText } from "./watchText.js";

export interface WatchOptions {
  readonly from: string;
  readonly recipient?: string;
  readonly json?: boolean;
}

/** Limit on connecting, and on the meetings being followed, in milliseconds. */
const START_WITHIN_MS = 10_000;
/** An onlooker changes no setting; where the server announces nothing the streams are read this often instead. */
const ONLOOKER = { enableNotifications: false, connectAllAtStart: false, followSweepMs: 1_000 };

/** `doordarshan-data watch`: sets the exit code of the process and never throws. */
export async function watch(meetingIds: readonly string[], options: WatchOptions): Promise<void> {
  const { stdout } = process;
  const readerGone = new AbortController();
  stdout.on("error", () => readerGone.abort());
  let stopped: AbortSignal | undefined;
  await runCommand({ json: options.json, lines: true }, (reporter) =>
    untilStopped(async (signal) => {
      stopped = signal;
      const ended = AbortSignal.any([signal, readerGone.signal]);
      await follow(meetingIds, options, { reporter, ended }).catch((error) => {
        if (!ended.aborted) throw error;
      });
    }),
  );
  // Whoever reads may have stopped to; what is written and not taken would keep the process for ever.
  if (stopped?.aborted && stdout.writableLength > 0) process.exit();
}

interface Watching {
  readonly reporter: Reporter;
  readonly ended: AbortSignal;
}

async function follow(ids: readonly string[], options: WatchOptions, { reporter, ended }: Watching): Promise<void> {
  const { meetingIds, from, recipientId } = checked(ids, options);
  loadDotenv();
  const loaded = loadRedisConfig();
  tellNotices(loaded.notices, reporter);
  const notes = connectionNotes(options, reporter);
  const config: RedisConfig = { ...loaded.redis, ...ONLOOKER };
  const client = createRedisClient({ redis: config }, { logger: notes });
  ended.addEventListener("abort", () => void client.close(0));
  try {
    await connect(client, ended);
    const redis = createRedisRepository(client, config, notes);
    const signals = createSignals({ client, redis, config, logger: notes });
    const limits = { timeoutMs: START_WITHIN_MS, signal: ended };
    const events = await signals.subscribe(meetingIds, { from, ...(recipientId && { recipientId }), ...limits });
    notes.begin();
    tell(options, "following", `Following ${namesOf(meetingIds)}; Ctrl-C ends it`);
    for await (const event of events) await show(event, options, ended);
  } finally {
    await client.close(0);
  }
}

/** Before anything is sent, and in the words of the command line. @throws InvalidInputError */
function checked(ids: readonly string[], { from, recipient }: WatchOptions) {
  const meetingIds = named("<meetingId>", () => checkMeetingIds(ids));
  named("--from", () => checkFrom(meetingIds, from));
  const recipientId = recipient === undefined ? undefined : named("--recipient", () => checkId("recipient", recipient));
  return { meetingIds, from, recipientId };
}

function named<T>(argument: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof InvalidInputError ? new InvalidInputError(argument, error.problem) : error;
  }
}

async function connect(client: RedisClient, ended: AbortSignal): Promise<void> {
  const aborted = once(ended, "abort");
  await Promise.race([client.connect(START_WITHIN_MS), aborted]);
}

function connectionNotes(options: WatchOptions, reporter: Reporter): ConnectionNotes {
  return new ConnectionNotes({
    lost: (message) => tell(options, "lost", message),
    back: (message) => tell(options, "back", message),
    warn: (message) => reporter.warn(message),
  });
}

function tell({ json }: WatchOptions, kind: "following" | "lost" | "back", message: string): void {
  process.stderr.write(json ? `${jsonLine({ kind, message })}\n` : `${harmless(message)}\n`);
}

function namesOf(meetingIds: readonly string[]): string {
  return meetingIds.length > 5 ? `${meetingIds.length} meetings` : meetingIds.join(", ");
}

/** Waits where the reader is slow: what comes meanwhile stays in Redis. */
async function show(event: SubscriptionEvent, { json }: WatchOptions, ended: AbortSignal): Promise<void> {
  const { stdout } = process;
  const line = json ? eventJson(event) : eventText(event, new Date(), terminalOf(stdout));
  if (!stdout.write(`${line}\n`)) await once(stdout, "drain", { signal: ended }).catch(() => undefined);
}
