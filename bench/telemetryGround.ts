import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createContainer, loadConfig } from "../src/index.js";
import { createDatabase, startMysqlServer, startRedisServer } from "../src/testing/index.js";

export const MEETING_ID = "bench";
export const SILENT = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

/** What a container is given. `none` is for what two equal containers differ by. */
export const WAYS = [
  "none",
  "prometheus",
  "openTelemetry",
  "openTelemetry, histogramProducer",
  "spans, none sampled",
  "spans, all sampled",
] as const;
export type Way = (typeof WAYS)[number];

export interface RoundRequest {
  readonly operation: "findHost" | "publish";
  readonly calls: number;
  readonly callers: number;
}

/** Of a process that has a container with telemetry and one without. */
export interface Turn extends RoundRequest {
  readonly on: boolean;
}

export interface TelemetryGround {
  readonly versions: { readonly mysql: string; readonly redis: string };
  run(way: Way, turn: Turn): Promise<unknown>;
  close(): Promise<void>;
}

/** A server of each kind with one meeting, and a process for each way. */
export async function openTelemetryGround(): Promise<TelemetryGround> {
  const [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
  const { environment } = await createDatabase({ ...mysql.environment, ...redis.environment });
  await seed(environment);
  const children = new Map<Way, ChildProcess>();
  for (const way of WAYS) children.set(way, await start(way, { ...environment, MYSQL_OPEN_CONNECTIONS: "10" }));
  return {
    versions: { mysql: mysql.version, redis: redis.version },
    run: (way, turn) => ask(children.get(way) as ChildProcess, turn),
    close: async () => {
      await Promise.all([...children.values()].map(end));
      await Promise.all([mysql.stop(), redis.stop()]);
    },
  };
}

async function seed(environment: Record<string, string>): Promise<void> {
  const container = createContainer(loadConfig(environment), { logger: SILENT });
  await container.start();
  const { fleet, meetings } = container.repositories;
  await fleet.registerContainer({ containerId: "node", host: "10.0.0.1", tenant: "bench", workerIds: ["worker"] });
  const router = { routerId: "router", workerId: "worker", capacity: 10 };
  await meetings.create({ meetingId: MEETING_ID, containerId: "node", routers: [router] });
  await container.stop();
}

async function start(way: Way, env: Record<string, string>): Promise<ChildProcess> {
  const child = fork(new URL("telemetryContender.ts", import.meta.url), [way], { env });
  await answerOf(child);
  return child;
}

/** It exits when nobody is there to ask it. */
async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.disconnect();
  await exited;
}

async function ask(child: ChildProcess, turn: Turn): Promise<unknown> {
  const answer = answerOf(child);
  child.send(turn);
  return answer;
}

/** @throws Error when the process ends instead */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const answered = new AbortController();
  const ended = once(child, "exit", { signal: answered.signal }).then(() => {
    throw new Error("A process of the bench has ended before its time");
  });
  try {
    return (await Promise.race([once(child, "message"), ended]))[0];
  } finally {
    // Or a listener would stay for each answer.
    answered.abort();
  }
}
