import { cut, harmless } from "./terminalText.js";

/** What is needed of a stream such as `process.stderr`. */
export interface LineStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const ERASE_LINE = "\r\u001b[K";
const COLUMNS_UNKNOWN = 80;

/** Lines on a stream, the last of which is rewritten while something goes on, where the stream is a terminal. */
export class StatusLine {
  readonly #stream: LineStream;
  #isShown = false;

  constructor(stream: LineStream) {
    this.#stream = stream;
  }

  /** Whether lines can be rewritten. */
  get isLive(): boolean {
    return this.#stream.isTTY === true;
  }

  /** A line that stays, of harmless text. */
  print(line: string): void {
    this.clear();
    this.#stream.write(`${line}\n`);
  }

  /** A line that the next one takes the place of. Nothing where the stream is no terminal. */
  show(line: string): void {
    if (!this.isLive) return;
    // Cut, since a line that wraps could not be rewritten.
    const width = (this.#stream.columns || COLUMNS_UNKNOWN) - 1;
    this.#stream.write(`${ERASE_LINE}${cut(harmless(line), width)}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.#stream.write(ERASE_LINE);
    this.#isShown = false;
  }
}
