import { parse, populate } from "dotenv";
import { ConfigError } from "../errors.js";
import { decodeText, FileProblem, readRegularFile } from "./regularFile.js";
import { Report } from "./report.js";

const MAX_DOTENV_BYTES = 1_048_576;

/**
 * Merges a `.env` file under `environment` (default: the process's); a variable that is set already, even to nothing, wins.
 * Without `path` it is `.env` in the working folder, and its absence is fine. Byte order mark and CRLF are read over.
 * Returns the names that were set.
 * @throws ConfigError for a named file that is missing, and for every line that dotenv would drop or cut short silently
 */
export function loadDotenv(
  path?: string,
  environment: Record<string, string | undefined> = process.env,
): readonly string[] {
  const text = readDotenv(path);
  if (text === undefined) return [];
  const report = new Report();
  reportLostText(text, path ?? ".env", report);
  report.throwProblems();
  return Object.keys(populate(environment, parse(text)));
}

function readDotenv(path: string | undefined): string | undefined {
  try {
    return decodeText(readRegularFile(path ?? ".env", MAX_DOTENV_BYTES).bytes);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    if (path === undefined && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
    throw new ConfigError([{ variable: JSON.stringify(path ?? ".env"), problem: error.message }]);
  }
}

const assignment = /^\s*(?:export\s+)?[\w.-]+(?:\s*=|:(?=\s))(.*)$/s;

const quoted = /^\s*(['"`])(?:\\\1|(?!\1).)*\1(?:\s*|\s+#.*)$/s;

/** dotenv skips what it does not understand, and ends an unquoted value at the first #. */
function reportLostText(text: string, file: string, report: Report): void {
  const lines = text.split(/\r\n?|\n/);
  for (let index = 0; index < lines.length; index += 1) {
    const last = lastLine(lines, index);
    const problem =
      last === undefined ? "opens a quote that is never closed" : problemOf(lines.slice(index, last + 1).join("\n"));
    if (problem) report.problem(JSON.stringify(file), `line ${index + 1} ${problem}`);
    index = last ?? index;
  }
}

function problemOf(line: string): string | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined;
  const value = assignment.exec(line)?.[1];
  if (value === undefined) return "is not NAME=value";
  if (/^\s*['"`]/.test(value)) return quoted.test(value) ? undefined : "has text after its closing quote";
  const comment = value.indexOf("#");
  return comment < 0 || /\s/.test(value[comment - 1] ?? "")
    ? undefined
    : "has a # in its value, where a comment would begin; put the value in quotes";
}

/** A quoted value may run over several lines; a quote after a backslash does not end it. */
function lastLine(lines: readonly string[], first: number): number | undefined {
  const value = assignment.exec(lines[first] ?? "")?.[1]?.trimStart() ?? "";
  const quote = value[0] ?? "";
  if (!/['"`]/.test(quote)) return first;
  const closes = (text: string) => text.replaceAll(`\\${quote}`, "").includes(quote);
  if (closes(value.slice(1))) return first;
  const later = lines.slice(first + 1).findIndex(closes);
  return later < 0 ? undefined : first + 1 + later;
}
