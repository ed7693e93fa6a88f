import { styleText } from "node:util";
import stringWidth from "string-width";

/** What is needed of a stream such as `process.stdout` to know what it can show. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  hasColors?(): boolean;
}

export interface Terminal {
  /** Undefined where the stream is no terminal: nothing is cut then. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  /** False also where NO_COLOR is set. */
  readonly colours: boolean;
}

const SIZE_UNKNOWN = { columns: 80, rows: 24 };

/** What the stream can show now; a terminal that does not know its size is taken for 80 by 24. */
export function terminalOf(stream: TerminalStream): Terminal {
  if (!stream.isTTY) return { columns: undefined, rows: undefined, colours: false };
  const columns = stream.columns || SIZE_UNKNOWN.columns;
  return { columns, rows: stream.rows || SIZE_UNKNOWN.rows, colours: stream.hasColors?.() ?? false };
}

/** Control characters, those that reorder text or cannot be seen, and line separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Foreign text that does nothing to a terminal: what it could be driven or deceived with stands there as JSON would escape it. */
export function harmless(text: string): string {
  return text.replace(UNSEEN, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** The same of several lines, whose line breaks are ours. */
export function harmlessLines(text: string): string {
  return text.split("\n").map(harmless).join("\n");
}

/** One line of JSON, harmless on a terminal too. */
export function jsonLine(value: unknown): string {
  return harmless(JSON.stringify(value));
}

const ELLIPSIS = "…";
/** A column may take so many UTF-16 units; marks stacked on one letter have no other bound. */
const UNITS_PER_COLUMN = 16;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Harmless text cut to at most `columns` columns, ending in an ellipsis where it was cut. */
export function cut(text: string, columns: number): string {
  let [width, kept] = [0, 0];
  for (const { segment, index } of graphemes.segment(text)) {
    const end = index + segment.length;
    width += stringWidth(segment);
    if (width > columns || end > columns * UNITS_PER_COLUMN)
      return columns < 1 ? "" : `${text.slice(0, kept)}${ELLIPSIS}`;
    if (width < columns) kept = end;
  }
  return text;
}

/** Harmless text cut or filled up to exactly `columns` columns. */
export function toWidth(text: string, columns: number, align: "left" | "right" = "left"): string {
  const fitting = cut(text, columns);
  const padding = " ".repeat(Math.max(0, columns - stringWidth(fitting)));
  return align === "left" ? fitting + padding : padding + fitting;
}

export type Style = Extract<Parameters<typeof styleText>[0], string>;

/** A part of a line. */
export interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** The spans as one harmless line, cut where the terminal ends. */
export function toLine(spans: readonly Span[], { columns, colours }: Omit<Terminal, "rows">): string {
  const parts = spans.map(({ text, style }) => ({ text: harmless(text), style }));
  const whole = parts.map(({ text }) => text).join("");
  const fitting = columns === undefined ? whole : cut(whole, columns);
  let left = fitting === whole ? whole.length : Math.max(0, fitting.length - ELLIPSIS.length);
  const shown = parts.map(({ text, style }) => {
    const part = text.slice(0, left);
    left -= part.length;
    return colours && style && part ? styleText(style, part, { validateStream: false }) : part;
  });
  return shown.join("") + (fitting === whole ? "" : fitting.slice(-ELLIPSIS.length));
}
