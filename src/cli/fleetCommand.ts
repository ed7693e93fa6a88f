import { type Command, Option } from "commander";
import { exitCodesHelp } from "./exitCodes.js";
import type { FleetOptions } from "./fleet.js";
import { addHelpParts, examples } from "./helpText.js";
import { wholeNumber } from "./wholeNumber.js";

const MAX_SECONDS = 3_600;
const MAX_NODES = 10_000;

const HELP = [
  "STATE is how old the last heartbeat is: alive (at most 10 s), off (alive, but no meeting is placed there), dead, or ahead (from " +
    "the future, which is not believed). USED is what routers are provisioned for and what is reserved, in streams; LIMIT is " +
    "what the workers may carry; LOAD is the one as a part of the other. Live nodes come first, and of these the fullest; where " +
    "there are more than --limit, those with the least room left are shown.",
  examples(
    "fleet",
    "fleet --tenant acme --workers --interval 5",
    "fleet --json | jq '.nodes[] | select(.alive | not) | .containerId'",
  ),
  exitCodesHelp("fleet"),
  "Reads the MYSQL_* variables, and a .env file in the working folder, as loadConfig() does; those of Redis are not needed. It only reads.",
];

export function addFleet(program: Command): void {
  const fleet = program
    .command("fleet")
    .summary("show the media nodes and how full they are")
    .description("Shows the media nodes as a table: again and again on a terminal, once where the output is none.")
    .option("--tenant <name>", "only this tenant's")
    .addOption(new Option("--limit <nodes>", "most nodes shown").argParser(wholeNumber(MAX_NODES)).default(50))
    .option("--workers", "a line for each worker too")
    .addOption(
      new Option("--interval <seconds>", "how long until the table is drawn anew")
        .argParser(wholeNumber(MAX_SECONDS))
        .default(2),
    )
    .option("--once", "once on a terminal too")
    .option("--json", "once, as one JSON document, with the workers")
    .action(async (options: FleetOptions) => (await import("./fleet.js")).fleet(options));
  addHelpParts(fleet, HELP);
}
