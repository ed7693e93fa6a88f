import type { Line } from "./table.js";

const began = performance.now();

export async function step(name: string, measure: () => Promise<Line[]>): Promise<Line[]> {
  tell(`measuring ${name}`);
  return measure();
}

/** On standard error, with the time since the start. */
export function tell(what: string): void {
  console.error(`${((performance.now() - began) / 1e3).toFixed(0).padStart(4)} s  ${what}`);
}
