import type { Command } from "commander";
import type { WatchOptions } from "./watch.js";

const HELP = `
One line a signal: time (UTC), meeting, type, sender → receivers, payload. RESYNC says that entries are gone, UNRECOGNISED that
an entry is no signal. What it is doing, and that the connection is lost or back, is told on standard error.

Examples:
  doordarshan-data watch standup retro
  doordarshan-data watch standup --from start --json | jq .payload
  doordarshan-data watch standup --from 1732312345678-0 --recipient asha

Exit codes:
  0    whoever read the output has gone
  2    wrong usage or configuration; nothing was sent
  5    Redis cannot be reached or does not let the user in
  6    Redis refused to have the meetings read
  130  stopped by Ctrl-C (143: by SIGTERM)

Reads the REDIS_* variables, and a .env file in the working folder, as loadConfig() does; those of MySQL are not needed. It
writes nothing and changes no setting of the server.`;

export function addWatch(program: Command): void {
  program
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
    .addHelpText("after", HELP)
    .action(async (meetingIds: string[], options: WatchOptions) =>
      (await import("./watch.js")).watch(meetingIds, options),
    );
}
