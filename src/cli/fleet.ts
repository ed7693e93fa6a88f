import { setTimeout as sleep } from "node:timers/promises";
import { loadDotenv, loadMysqlConfig, type MysqlConfig } from "../config/index.js";
import { QueryError } from "../errors.js";
import { closeDataSource, createDataSource, openDataSource } from "../mysql/dataSource.js";
import { poolDatabase } from "../mysql/repositories/database.js";
import type { FleetOverview } from "../mysql/repositories/fleetOverview.js";
import { createRepositories } from "../mysql/repositories/index.js";
import { noticesTo, runCommand, tellNotices, untilStopped } from "./commandRun.js";
import { failureText } from "./failureText.js";
import { fleetLines } from "./fleetText.js";
import type { Reporter } from "./reporter.js";
import { Screen } from "./screen.js";
import { terminalOf, toLine } from "./terminalText.js";

/** The interval in seconds. */
export interface FleetOptions {
  readonly tenant?: string;
  readonly limit: number;
  readonly workers?: boolean;
  readonly interval: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

const CONNECT_WITHIN_MS = 10_000;
/** Whoever looks on does not wait as long as a service may. */
const MAX_QUERY_MS = 10_000;

/** `doordarshan-data fleet`: sets the exit code of the process and never throws. */
export function fleet(options: FleetOptions): Promise<void> {
  const { json } = options;
  return runCommand({ json, adviceOn }, (reporter) => untilStopped((ended) => onFleet(options, reporter, ended)));
}

async function onFleet(options: FleetOptions, reporter: Reporter, ended: AbortSignal): Promise<void> {
  loadDotenv();
  const { mysql, notices } = loadMysqlConfig();
  tellNotices(notices, reporter);
  const config: MysqlConfig = { ...mysql, queryTimeoutMs: Math.min(mysql.queryTimeoutMs, MAX_QUERY_MS) };
  const dataSource = createDataSource({ mysql: config }, { logger: noticesTo(reporter) });
  const repository = createRepositories(poolDatabase(dataSource)).fleet;
  const { tenant, limit } = options;
  const read = () => repository.overview({ limit, ...(tenant !== undefined && { tenant }) });
  // What waits for the server then ends at once.
  ended.addEventListener("abort", () => void closeDataSource(dataSource, 0));
  try {
    await openDataSource(dataSource, CONNECT_WITHIN_MS);
    if (options.json || options.once || !process.stdout.isTTY) showOnce(await read(), options, reporter);
    else await showAgainAndAgain(read, options, ended);
  } finally {
    await closeDataSource(dataSource, 0);
  }
}

function showOnce(overview: FleetOverview, { workers = false }: FleetOptions, reporter: Reporter): void {
  // However few rows a terminal has: it scrolls.
  const lines = fleetLines(overview, { ...terminalOf(process.stdout), rows: undefined, workers });
  reporter.result(overview, { styled: lines.join("\n") });
}

/** What was read last, and why it could not be read since. */
interface Seen {
  readonly overview: FleetOverview;
  readonly at: Date;
  readonly failure?: unknown;
}

async function showAgainAndAgain(
  read: () => Promise<FleetOverview>,
  options: FleetOptions,
  ended: AbortSignal,
): Promise<void> {
  const { stdout } = process;
  let seen: Seen = { overview: await read(), at: new Date() };
  const screen = new Screen(stdout);
  const draw = () => screen.draw(frame(seen, options));
  stdout.on("resize", draw);
  try {
    while (!ended.aborted) {
      draw();
      await sleep(options.interval * 1_000, undefined, { signal: ended }).catch(() => undefined);
      if (!ended.aborted) seen = await readAgain(read, seen);
    }
  } finally {
    stdout.off("resize", draw);
    screen.close();
    stdout.write(`${frame(seen, options).slice(0, -1).join("\n")}\n`);
  }
}

/** A server that is away for a while does not end it. */
async function readAgain(read: () => Promise<FleetOverview>, { overview, at }: Seen): Promise<Seen> {
  try {
    return { overview: await read(), at: new Date() };
  } catch (failure) {
    return { overview, at, failure };
  }
}

function frame({ overview, at, failure }: Seen, { workers = false }: FleetOptions): string[] {
  const terminal = terminalOf(process.stdout);
  // A line as wide as the terminal would wrap on some; the last row is left free, and one is for the last line.
  const [columns, rows] = [(terminal.columns ?? 80) - 1, (terminal.rows ?? 24) - 2];
  const size = { ...terminal, columns, rows };
  const time = at.toISOString().slice(11, 19);
  const last =
    failure === undefined
      ? toLine([{ text: `${time} UTC; Ctrl-C ends it`, style: "dim" }], size)
      : toLine([{ text: `as of ${time} UTC; trying again: ${failureText(failure)}`, style: "red" }], size);
  return [...fleetLines(overview, { ...size, workers }), last];
}

/** A table or a column that is not there. */
const SCHEMA_ERRORS = [1146, 1054];

function adviceOn(error: unknown) {
  if (!(error instanceof QueryError) || !SCHEMA_ERRORS.includes(error.errno ?? 0)) return undefined;
  const advice = "The schema is not as this version expects it: see doordarshan-data migrate status";
  return { details: advice, data: { advice } };
}
