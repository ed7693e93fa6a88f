import type { Command } from "commander";
import { exitCodesHelp } from "./exitCodes.js";
import { addHelpParts, examples } from "./helpText.js";
import type { WatchOptions } from "./watch.js";

const HELP = [
  "One line a signal: time (UTC), meeting, type, sender → receivers, payload. RESYNC says that entries are gone, UNRECOGNISED that " +
    "an entry is no signal. What it is doing, and that the connection is lost or back, is told on standard error.",
  examples(
    "watch standup retro",
    "watch standup --from start --json | jq .payload",
    "watch standup --from 1732312345678-0 --recipient asha",
  ),
  exitCodesHelp("watch"),
  "Reads the REDIS_* variables, and a .env file in the working folder, as loadConfig() does; those of MySQL are not needed. It " +
    "writes nothing and changes no setting of the server.",
];

export function addWatch(program: Command): void {
  const watch = program
    .command("watch")
    .summary("follow meetings' signals on the terminal")
    .description("Shows the signals of meetings as they are published, until it is stopped.")
    .argument("<meetingId...>", "the meetings")
    .option("--from <where>", "now, start (all that is still there), or an entry id: what came after it", "now")
    .option(
      "--recipient <participantId>",
      "only what is sent to everyone or to this participant; UNRECOGNISED in any case",
    )
    .option("--json", "one JSON object a line, the whole payload in it")
    .action(async (meetingIds: string[], options: WatchOptions) =>
      (await import("./watch.js")).watch(meetingIds, options),
    );
  addHelpParts(watch, HELP);
}
