import type { LineStream } from "./statusLine.js";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const ERASE_LINE_END = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/** A terminal's second screen, drawn over in place; what was on the first is there again afterwards. */
export class Screen {
  readonly #stream: LineStream;
  #isOpen = false;

  constructor(stream: LineStream) {
    this.#stream = stream;
  }

  /** Lines must be narrower than the terminal, and fewer than it has rows. */
  draw(lines: readonly string[]): void {
    const entering = this.#isOpen ? "" : ENTER;
    this.#isOpen = true;
    this.#stream.write(`${entering}${HOME}${lines.map((line) => `${line}${ERASE_LINE_END}\n`).join("")}${ERASE_BELOW}`);
  }

  close(): void {
    if (this.#isOpen) this.#stream.write(LEAVE);
    this.#isOpen = false;
  }
}
