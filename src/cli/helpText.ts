import type { Command } from "commander";

/** An item of a list: its continuation stands below its text. */
const ITEM = /^ {2}\d+ +/;

/** Adds parts, an empty line between them, below a command's options, its paragraphs and lists as wide as the terminal. */
export function addHelpParts(
  command: Command,
  parts: readonly string[],
  position: "after" | "afterAll" = "after",
): void {
  command.addHelpText(position, ({ error }) => {
    const output = command.configureOutput();
    const width = (error ? output.getErrHelpWidth?.() : output.getOutHelpWidth?.()) ?? 80;
    return `\n${parts.map((part) => wrapped(command, part, width)).join("\n\n")}`;
  });
}

/** Examples' lines are left as they are, so that they can be copied. */
function wrapped(command: Command, part: string, width: number): string {
  const help = command.createHelp();
  const lines = part.split("\n").map((line) => {
    const indent = ITEM.exec(line)?.[0] ?? "";
    if (indent === "" && line.startsWith(" ")) return line;
    const text = help.boxWrap(line.slice(indent.length), width - indent.length);
    return indent + text.replaceAll("\n", `\n${" ".repeat(indent.length)}`);
  });
  return lines.join("\n");
}

/** Lines that can be copied. */
export function examples(...lines: readonly string[]): string {
  const title = lines.length === 1 ? "Example:" : "Examples:";
  return [title, ...lines.map((line) => `  doordarshan-data ${line}`)].join("\n");
}
