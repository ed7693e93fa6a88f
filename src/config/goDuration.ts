const millisecondsPer: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const whole = new RegExp(`^[+-]?(0|(${part.source})+)$`);

/** Milliseconds of a duration such as `5s`, `1m30s` or `1.5h`, as Go's time.ParseDuration reads it; or undefined. */
export function parseGoDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  const parts = [...text.matchAll(part)].map(([, amount, unit]) => Number(amount) * (millisecondsPer[unit ?? ""] ?? 0));
  const sum = parts.reduce((total, milliseconds) => total + milliseconds, 0);
  return text.startsWith("-") ? -sum : sum;
}
