import { createRequire } from "node:module";
import { Command, Option } from "commander";
import { addDoctor } from "./doctorCommand.js";
import { exitCodesHelp } from "./exitCodes.js";
import { addFleet } from "./fleetCommand.js";
import { addHelpParts, examples } from "./helpText.js";
import type { CommonOptions, DownOptions, RunOptions } from "./migrate.js";
import { addWatch } from "./watchCommand.js";
import { wholeNumber } from "./wholeNumber.js";

const MAX_SECONDS = 86_400;

const HELP = [
  exitCodesHelp("migrate"),
  "After 4, 5, 6 and 130 run the same command again: it goes on from where it was. But down counts anew each time: see in status " +
    "how many are left to take back.",
  "Reads the MYSQL_* variables, and a .env file in the working folder, as loadConfig() does; those of Redis are not needed. " +
    "MYSQL_MIGRATION_USERNAME and MYSQL_MIGRATION_PASSWORD, or MYSQL_MIGRATION_SECRET_FILE, name the user who migrates " +
    "where that is not the run-time user.",
];

/** Loaded when a command runs: explaining one needs no driver. */
const commands = () => import("./migrate.js");

/** The command line's grammar; throws a CommanderError instead of ending the process. */
export function createProgram(): Command {
  const { version } = createRequire(import.meta.url)("doordarshan-data/package.json") as { version: string };
  const program = new Command("doordarshan-data")
    .description("The data layer of Doordarshan meetings")
    .version(version)
    .showHelpAfterError("(--help explains)")
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride();
  addMigrate(program);
  addDoctor(program);
  addWatch(program);
  addFleet(program);
  return program;
}

function addMigrate(program: Command): void {
  const migrate = program
    .command("migrate")
    .summary("bring a database's schema up to date, look at it, take it back")
    .description(
      "Migrates the database that the environment names. One at a time works on it, however many are started.",
    );
  addHelpParts(migrate, HELP, "afterAll");
  addUp(migrate);
  addDown(migrate);
  addReaders(migrate);
  addCreate(migrate);
}

function addUp(migrate: Command): void {
  const up = changing(migrate.command("up"))
    .summary("apply every pending migration")
    .description(
      "Applies every pending migration, while other programs go on. What stands in the way is found first, and then nothing " +
        "is changed. Killed at any point, it is gone on with by the next run.",
    )
    .action(async (options: RunOptions) => (await commands()).up(options));
  addHelpParts(up, [examples("migrate plan && doordarshan-data migrate up")]);
}

function addDown(migrate: Command): void {
  const down = changing(migrate.command("down"))
    .summary("take the newest migrations back")
    .description("Takes the newest n migrations back. Refuses to drop tables that have rows.")
    .argument("[n]", "how many", wholeNumber(10_000), 1)
    .option("--allow-data-loss", "drop tables that have rows too")
    .action(async (steps: number, options: DownOptions) => (await commands()).down(steps, options));
  addHelpParts(down, [examples("migrate down 2")]);
}

function addReaders(migrate: Command): void {
  const status = asJson(migrate.command("status"))
    .summary("show which migrations are applied")
    .description("Shows each migration: applied or pending, when, and whether it is as it was when it was applied.")
    .action(async (options: CommonOptions) => (await commands()).status(options));
  addHelpParts(status, [examples("migrate status --json")]);
  const plan = asJson(migrate.command("plan"))
    .summary("show what up would do")
    .description("Shows what up would do: each statement, how large its table is, and who waits while it runs.")
    .action(async (options: CommonOptions) => (await commands()).plan(options));
  addHelpParts(plan, [
    "Each statement also needs its table alone for a moment: it waits at most a second for that, then lets the others through and tries again.",
    examples("migrate plan"),
  ]);
  const check = asJson(migrate.command("check"))
    .summary("compare the schema with what this version expects")
    .description(
      "Compares the schema with what this version expects; lines of - are missing, lines of + are there instead.",
    )
    .action(async (options: CommonOptions) => (await commands()).check(options));
  addHelpParts(check, [examples("migrate check || echo 'the schema has drifted'")]);
}

function addCreate(migrate: Command): void {
  const create = asJson(migrate.command("create"))
    .summary("write a new, empty migration (in this package's repository)")
    .description("Writes migrations/<timestamp>-<Name>.ts and adds it to migrations/index.ts.")
    .argument("<Name>", "verb and noun, such as AddMeetingTitle")
    .action(async (name: string, options: CommonOptions) => (await commands()).create(name, options));
  addHelpParts(create, [examples("migrate create AddMeetingTitle")]);
}

function changing(command: Command): Command {
  const seconds = wholeNumber(MAX_SECONDS);
  return asJson(command)
    .addOption(
      new Option("--lock-timeout <seconds>", "how long to wait for another process that migrates")
        .argParser(seconds)
        .default(60),
    )
    .addOption(
      new Option("--blocked-timeout <seconds>", "how long a statement may be kept waiting by others' use of its table")
        .argParser(seconds)
        .default(60),
    );
}

function asJson(command: Command): Command {
  return command.option("--json", "one JSON document on standard output, progress as JSON lines on standard error");
}
