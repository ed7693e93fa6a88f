#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT } from "./exitCodes.js";
import { createProgram } from "./program.js";

/** Whoever reads the output may have gone, such as `| head` or a closed terminal. */
const READER_GONE = ["EPIPE", "EIO"];

// What is being done is finished all the same; but what a full disk has not taken must not pass for done.
process.stderr.on("error", () => undefined);
process.stdout.on("error", ({ code = "an unknown reason" }: NodeJS.ErrnoException) => {
  if (READER_GONE.includes(code)) return;
  process.stderr.write(`error: The output could not be written: ${code}\n`);
  process.once("exit", () => {
    process.exitCode = EXIT.failed;
  });
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has told what is wrong, or shown the help that was asked for.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
