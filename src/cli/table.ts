import stringWidth from "string-width";
import { harmless, type Span, toWidth } from "./terminalText.js";

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** It may be cut to so many columns; without one it is never cut. */
  readonly min?: number;
  /** Where room is short the column with the highest is left out first; one of 0 never is. */
  readonly rank: number;
}

const GAP = 2;

/** A table's lines, titles first: columns are as wide as their cells, left out and cut where `width` (undefined: any) is too narrow. */
export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly Span[])[],
  width: number | undefined,
): Span[][] {
  const clean = rows.map((row) => row.map(({ text, style }) => ({ text: harmless(text), style })));
  const lines = [columns.map(({ title }): Span => ({ text: title, style: "bold" })), ...clean];
  const natural = columns.map((_, at) => Math.max(...lines.map((line) => stringWidth(line[at]?.text ?? ""))));
  const kept = chooseColumns(columns, natural, width);
  const widths = shrink(columns, natural, kept, width);
  return lines.map((line) =>
    kept.flatMap((at, place): Span[] => {
      const { text = "", style } = line[at] ?? {};
      const cell = { text: toWidth(text, widths.get(at) ?? 0, columns[at]?.align), style };
      return place === 0 ? [cell] : [{ text: " ".repeat(GAP) }, cell];
    }),
  );
}

/** The places of the columns for which there is room, cut as far as they may be. */
function chooseColumns(columns: readonly Column[], natural: readonly number[], width: number | undefined): number[] {
  const least = (at: number) => Math.min(natural[at] ?? 0, columns[at]?.min ?? Number.POSITIVE_INFINITY);
  let kept = columns.map((_, at) => at);
  const needed = () => kept.reduce((sum, at) => sum + least(at) + GAP, -GAP);
  while (width !== undefined && needed() > width) {
    const rank = Math.max(...kept.map((at) => columns[at]?.rank ?? 0));
    if (rank === 0) break;
    kept = kept.filter((at) => columns[at]?.rank !== rank);
  }
  return kept;
}

/** Takes from the widest that may be cut, a column at a time, until all fit. */
function shrink(
  columns: readonly Column[],
  natural: readonly number[],
  kept: readonly number[],
  width: number | undefined,
): Map<number, number> {
  const widths = new Map(kept.map((at) => [at, natural[at] ?? 0]));
  const spare = (at: number) => (widths.get(at) ?? 0) - (columns[at]?.min ?? Number.POSITIVE_INFINITY);
  const sum = () => [...widths.values()].reduce((total, each) => total + each + GAP, -GAP);
  for (let over = width === undefined ? 0 : sum() - width; over > 0; over -= 1) {
    const [widest] = kept.filter((at) => spare(at) > 0).sort((a, b) => (widths.get(b) ?? 0) - (widths.get(a) ?? 0));
    if (widest === undefined) break;
    widths.set(widest, (widths.get(widest) ?? 0) - 1);
  }
  return widths;
}
