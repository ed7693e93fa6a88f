import { styleText } from "node:util";

/** Tells a command's progress to a person on a terminal. */
export interface Story {
  title(text: string): void;
  /** A numbered step; what follows belongs to it. */
  step(text: string): void;
  /** Something that was done. */
  done(text: string): void;
  /** Something that takes a while has moved on. */
  progress(text: string): void;
  failed(text: string): void;
}

export function createStory(write: (line: string) => void): Story {
  let steps = 0;
  return {
    title: (text) => write(`\n${styleText("bold", text)}`),
    step: (text) => write(`\n${styleText("cyan", String(++steps).padStart(2))}  ${styleText("bold", text)}`),
    done: (text) => write(`    ${styleText("green", "✓")} ${text}`),
    progress: (text) => write(`    ${styleText("dim", `… ${text}`)}`),
    failed: (text) => write(`\n    ${styleText("red", "✗")} ${text}`),
  };
}
