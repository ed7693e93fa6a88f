import { styleText } from "node:util";
import type { Verdict } from "../doctor/check.js";
import { type CheckReport, worstOf } from "../doctor/runner.js";
import type { Store } from "../errors.js";

const STORES: Readonly<Record<Store, string>> = { mysql: "MySQL", redis: "Redis" };
const SYMBOLS = {
  ok: ["✓", "green"],
  skipped: ["-", "dim"],
  warning: ["!", "yellow"],
  failed: ["✗", "red"],
} as const;
const INDENT = "      ";

/** The doctor's report for people: a group for each store, advice below what it is for, and a summary. */
export function doctorText(reports: readonly CheckReport[], colours: boolean): string {
  const paint = (verdict: Verdict, text: string) => (colours ? styleText(SYMBOLS[verdict][1], text) : text);
  const stores = [...new Set(reports.map(({ store }) => store))];
  const groups = stores.map((store) => {
    const own = reports.filter((report) => report.store === store);
    const heading = colours ? styleText("bold", STORES[store]) : STORES[store];
    return [heading, ...own.flatMap((report) => linesOf(report, paint))].join("\n");
  });
  return [...groups, paint(worstOf(reports.map(({ verdict }) => verdict)), summary(reports))].join("\n\n");
}

function linesOf(
  { id, title, verdict, saw, advice, fixed }: CheckReport,
  paint: (verdict: Verdict, text: string) => string,
): string[] {
  return [
    `  ${paint(verdict, `${SYMBOLS[verdict][0]} ${title}`)} (${id}): ${saw}`,
    ...(fixed === undefined ? [] : [`${INDENT}mended: ${fixed}`]),
    ...(advice === undefined ? [] : [`${INDENT}→ ${advice}`]),
  ];
}

function summary(reports: readonly CheckReport[]): string {
  const count = (verdict: Verdict) => reports.filter((report) => report.verdict === verdict).length;
  return `${count("failed")} failed, ${count("warning")} to be looked at, ${count("ok")} well, ${count("skipped")} skipped.`;
}
