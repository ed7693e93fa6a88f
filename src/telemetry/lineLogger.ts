import { currentLogFields } from "./logFields.js";
import type { Logger } from "./logger.js";

/** What could end a line, colour a terminal, or show a text in another order than it has. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
/** Nothing of ours is nested deeper. */
const MAX_DEPTH = 6;

const wrapped = new WeakSet<Logger>();

/**
 * `logger`, given what is one line however it writes it: line breaks and control characters in messages and fields are escaped,
 * since servers and callers choose some of them. Each line carries the fields of `withLogFields`. A line that `logger` throws at is lost.
 */
export function lineLogger(logger: Logger): Logger {
  if (wrapped.has(logger)) return logger;
  const write = (level: keyof Logger) => (fields: object, message: string) => {
    try {
      logger[level](printable({ ...currentLogFields(), ...fields }, MAX_DEPTH) as object, escaped(message));
    } catch {
      // A logger may have been closed before us: what the line is about goes on, and a socket's listener must not end the process.
    }
  };
  const lines: Logger = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  wrapped.add(lines);
  return lines;
}

function escaped(text: string): string {
  return text.replace(UNPRINTABLE, (character) => JSON_ESCAPES[character] ?? unicodeEscape(character));
}

const JSON_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A copy of plain data; of an error its name and message alone, unless it says itself how it is to be shown. */
function printable(value: unknown, depth: number): unknown {
  if (typeof value === "string") return escaped(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return "…";
  if ("toJSON" in value && typeof value.toJSON === "function") return printable(value.toJSON(), depth - 1);
  if (Array.isArray(value)) return value.map((item) => printable(item, depth - 1));
  const { name, message } = value as Partial<Error>;
  const members = value instanceof Error ? { name, message } : value;
  return Object.fromEntries(
    Object.entries(members).map(([key, member]) => [escaped(key), printable(member, depth - 1)]),
  );
}
