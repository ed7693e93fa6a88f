import { styleText } from "node:util";
import type { Verdict } from "../doctor/check.js";
import { type CheckReport, worstOf } from "../doctor/runner.js";
import type { Store } from "../errors.js";
import { harmless } from "./terminalText.js";

const STORES: Readonly<Record<Store, string>> = { mysql: "MySQL", redis: "Redis" };
const SYMBOLS = {
  ok: ["✓", "green"],
  skipped: ["-", "dim"],
  warning: ["!", "yellow"],
  failed: ["✗", "red"],
} as const;
const INDENT = "      ";

type Paint = (verdict: Verdict, text: string) => string;

/** The doctor's report for people: a group for each store, advice below what it is for, and a summary that names what is wrong. */
export function doctorText(reports: readonly CheckReport[], colours: boolean): string {
  const styled = (style: Parameters<typeof styleText>[0], text: string) =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  const paint: Paint = (verdict, text) => styled(SYMBOLS[verdict][1], text);
  const stores = [...new Set(reports.map(({ store }) => store))];
  const groups = stores.map((store) => {
    const own = reports.filter((report) => report.store === store);
    const lines = own.flatMap((report) => (report.needs ? [] : linesOf(report, paint)));
    return [styled("bold", STORES[store]), ...lines, ...dependants(own, paint)].join("\n");
  });
  return [...groups, paint(worstOf(reports.map(({ verdict }) => verdict)), summary(reports))].join("\n\n");
}

/** What servers say may hold anything. */
function linesOf({ id, title, verdict, saw, advice, fixed }: CheckReport, paint: Paint): string[] {
  return [
    `  ${paint(verdict, `${SYMBOLS[verdict][0]} ${title}`)} (${id}): ${harmless(saw)}`,
    ...(fixed === undefined ? [] : [`${INDENT}mended: ${harmless(fixed)}`]),
    ...(advice === undefined ? [] : [`${INDENT}→ ${harmless(advice)}`]),
  ];
}

/** In one line: twenty of them would hide the one that they wait for. */
function dependants(reports: readonly CheckReport[], paint: Paint): string[] {
  const ids = reports.filter(({ needs }) => needs).map(({ id }) => id);
  if (ids.length === 0) return [];
  const what = paint("skipped", `${SYMBOLS.skipped[0]} not looked at`);
  return [`  ${what}, as each needs one that failed or was skipped: ${ids.join(", ")}`];
}

function summary(reports: readonly CheckReport[]): string {
  const idsOf = (verdict: Verdict) => reports.filter((report) => report.verdict === verdict).map(({ id }) => id);
  const named = (ids: readonly string[]) => (ids.length > 0 ? ` (${[...new Set(ids)].join(", ")})` : "");
  const [failed, warned] = [idsOf("failed"), idsOf("warning")];
  return `${failed.length} failed${named(failed)}, ${warned.length} to be looked at${named(warned)}, ${idsOf("ok").length} well, ${idsOf("skipped").length} skipped.`;
}
