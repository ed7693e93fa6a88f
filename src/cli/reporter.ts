import { styleText } from "node:util";
import { DataError } from "../errors.js";
import type { MigrationEvent } from "../mysql/migrator/progress.js";
import { failureText } from "./failureText.js";
import { type LineStream, StatusLine } from "./statusLine.js";
import { harmlessLines, jsonLine, type TerminalStream, terminalOf } from "./terminalText.js";

/** What a command says: progress on standard error, one result on standard output. */
export interface Reporter {
  progress(event: MigrationEvent): void;
  /** Something worth knowing that is no result. */
  note(message: string): void;
  warn(message: string): void;
  /** Called once: what came of it, as data and as text; `styled` text is shown as it is, so foreign parts of it must be harmless. */
  result(data: object, text: string | { readonly styled: string }): void;
  /** In the place of a result. `details` is more text for people, `data` more for machines. */
  failure(error: unknown, more?: { readonly details: string; readonly data: object }): void;
}

interface Streams {
  readonly out: LineStream;
  readonly err: LineStream & TerminalStream;
}

/** How it is said: for people, or as JSON; with `lines` the result too is one line, after others perhaps. */
interface ReporterOptions {
  readonly json: boolean;
  readonly lines?: boolean;
}

export function createReporter({ json, lines = false }: ReporterOptions, streams: Streams): Reporter {
  return json ? new JsonReporter(streams, lines ? 0 : 2) : new TextReporter(streams);
}

/** One JSON document on standard output; progress is one JSON object a line on standard error. */
class JsonReporter implements Reporter {
  readonly #streams: Streams;
  readonly #indent: number;

  constructor(streams: Streams, indent: number) {
    this.#streams = streams;
    this.#indent = indent;
  }

  progress(event: MigrationEvent): void {
    this.#tell(event);
  }

  note(message: string): void {
    this.#tell({ kind: "note", message });
  }

  warn(message: string): void {
    this.#tell({ kind: "warning", message });
  }

  result(data: object): void {
    this.#streams.out.write(`${harmlessLines(JSON.stringify(data, undefined, this.#indent))}\n`);
  }

  failure(error: unknown, more?: { readonly data: object }): void {
    const told = error instanceof DataError ? error : { name: "Error", message: failureText(error) };
    this.result({ error: told, ...more?.data });
  }

  #tell(event: object): void {
    this.#streams.err.write(`${jsonLine(event)}\n`);
  }
}

/** What lasts is told again after this time where no line can be rewritten. */
const TELL_EVERY_MS = 10_000;

class TextReporter implements Reporter {
  readonly #streams: Streams;
  readonly #line: StatusLine;
  #toldMs = 0;

  constructor(streams: Streams) {
    this.#streams = streams;
    this.#line = new StatusLine(streams.err);
  }

  progress(event: MigrationEvent): void {
    if (event.kind === "refused") this.warn(event.message);
    else if (this.#isWorthALine(event)) this.note(event.message);
    else this.#line.show(event.message);
  }

  note(message: string): void {
    this.#line.print(harmlessLines(message));
  }

  warn(message: string): void {
    this.#line.print(`${this.#style("yellow", "warning:")} ${harmlessLines(message)}`);
  }

  result(_: object, text: string | { readonly styled: string }): void {
    this.#line.clear();
    this.#streams.out.write(`${typeof text === "string" ? harmlessLines(text) : text.styled}\n`);
  }

  failure(error: unknown, more?: { readonly details: string }): void {
    this.#line.print(`${this.#style("red", "error:")} ${harmlessLines(failureText(error))}`);
    if (more?.details) this.note(more.details);
  }

  /** On a terminal the line that is rewritten tells the rest. */
  #isWorthALine(event: MigrationEvent): boolean {
    switch (event.kind) {
      case "statement":
        this.#toldMs = 0;
        return hasRows(event) && (event.rebuilds || event.blocks !== "nobody");
      case "running":
        return !this.#line.isLive && this.#isDue(event.elapsedMs);
      case "waiting-for-lock":
      case "applied":
      case "reverted":
        return !this.#line.isLive;
      default:
        return true;
    }
  }

  #isDue(elapsedMs: number): boolean {
    if (elapsedMs - this.#toldMs < TELL_EVERY_MS) return false;
    this.#toldMs = elapsedMs;
    return true;
  }

  #style(colour: "red" | "yellow", text: string): string {
    return terminalOf(this.#streams.err).colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}

function hasRows({ size }: { readonly size: { readonly rows: number } | undefined }): boolean {
  return (size?.rows ?? 0) > 0;
}
