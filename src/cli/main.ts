#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT } from "./exitCodes.js";
import { createProgram } from "./program.js";

// Whoever reads the output may have gone, such as `| head` or a closed terminal: what is being done is finished all the same.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has told what is wrong, or shown the help that was asked for.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
