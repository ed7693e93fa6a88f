import { EXIT_CODES } from "../../src/cli/exitCodes.js";

/** The table of exit codes in docs/operations.md. */
export function exitCodesTable(): string {
  const rows = EXIT_CODES.map(({ codes, meaning, of }) => {
    const commands = Object.entries(of).filter(([, own]) => own !== meaning);
    const own = commands.map(([command, text]) => `\`${command}\`: ${text}`).join("; ");
    return `| ${codes.join(", ")} | ${meaning} | ${own} |`;
  });
  return ["| code | meaning | of each command |", "|---|---|---|", ...rows].join("\n");
}
