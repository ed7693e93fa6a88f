import { type Command, Option } from "commander";
import type { DoctorOptions } from "./doctor.js";
import { DOCTOR_EXIT_CODES_HELP } from "./exitCodes.js";
import { wholeNumber } from "./wholeNumber.js";

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("find what is wrong with the configured servers, and say what to do")
    .description(
      "Looks at each store by itself, from its variables to its rows, and says what it saw and what to do. Changes nothing without --fix.",
    )
    .addOption(new Option("--only <store>", "look at one store").choices(["mysql", "redis"]))
    .option("--json", "one JSON document on standard output, progress as JSON lines on standard error")
    .option("--fix", "mend what can be mended without risk, and say what was done")
    .addOption(new Option("--timeout <seconds>", "how long each check may take").argParser(wholeNumber(600)).default(5))
    .addHelpText("after", `${DOCTOR_EXIT_CODES_HELP}\n\nExample:\n  doordarshan-data doctor --json > report.json`)
    .action(async (options: DoctorOptions) => (await import("./doctor.js")).doctor(options));
}
