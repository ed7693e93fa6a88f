export interface Line {
  readonly operation: string;
  readonly ours: string;
  /** What it is compared with. */
  readonly other: string;
  readonly ratio: string;
  /** Empty where the issue sets none. */
  readonly bar: string;
  readonly passed?: boolean;
}

const HEAD = ["operation", "ours", "compared with", "ratio", "bar", "result"];

export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map((line) => [line.operation, line.ours, line.other, line.ratio, line.bar, verdict(line)]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const format = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [format(HEAD), format(widths.map((width) => "-".repeat(width))), ...rows.map(format)].join("\n");
}

function verdict({ passed }: Line): string {
  if (passed === undefined) return "";
  return passed ? "pass" : "MISSED";
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

export function bytes(value: number): string {
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

export function times(value: number): string {
  return `${value.toFixed(value < 10 ? 3 : 1)} ×`;
}
