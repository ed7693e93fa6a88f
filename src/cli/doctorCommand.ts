import { type Command, Option } from "commander";
import type { DoctorOptions } from "./doctor.js";
import { exitCodesHelp } from "./exitCodes.js";
import { addHelpParts, examples } from "./helpText.js";
import { wholeNumber } from "./wholeNumber.js";

export function addDoctor(program: Command): void {
  const doctor = program
    .command("doctor")
    .summary("find what is wrong with the configured servers, and say what to do")
    .description(
      "Looks at each store by itself, from its variables to its rows, and says what it saw and what to do. Changes nothing without --fix.",
    )
    .addOption(new Option("--only <store>", "look at one store").choices(["mysql", "redis"]))
    .option("--json", "one JSON document on standard output, progress as JSON lines on standard error")
    .option("--fix", "mend what can be mended without risk, and say what was done")
    .addOption(new Option("--timeout <seconds>", "how long each check may take").argParser(wholeNumber(600)).default(5))
    .action(async (options: DoctorOptions) => (await import("./doctor.js")).doctor(options));
  addHelpParts(doctor, [exitCodesHelp("doctor"), examples("doctor --json > report.json")]);
}
