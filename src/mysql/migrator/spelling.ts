import type { LiveSchema } from "./liveSchema.js";

/** How MySQL's and MariaDB's information_schema spell one thing, evened out. */

interface ColumnRow {
  readonly type?: string | null;
  readonly fallback?: string | null;
  readonly extra?: string | null;
  readonly generation?: string | null;
}

/** `utf8` is what older versions call utf8mb3. */
export function modernName(name: string | null | undefined): string | undefined {
  return name?.replace(/^utf8(?=_|$)/, "utf8mb3") ?? undefined;
}

/** MySQL 8.0.19 and later show no display width of integers, but for tinyint(1). */
export function columnType(type: string): string {
  const lower = /^(?:enum|set)\b/i.test(type) ? type : type.toLowerCase();
  return lower.replace(/^(smallint|mediumint|int|bigint)\(\d+\)/, "$1").replace(/^tinyint\((?!1\))\d+\)/, "tinyint");
}

/** MySQL gives a literal's bare text and marks expressions; MariaDB gives SQL, and NULL as a word. */
export function columnDefault(row: ColumnRow, engine: LiveSchema["engine"]): string | undefined {
  const { fallback } = row;
  if (fallback === null || fallback === undefined) return undefined;
  if (engine === "mariadb") return fallback === "NULL" ? undefined : evenExpression(fallback);
  if (/DEFAULT_GENERATED/.test(row.extra ?? "") || /^CURRENT_TIMESTAMP/i.test(fallback))
    return evenExpression(fallback);
  return isNumeric(row) ? fallback : `'${fallback.replaceAll("'", "''")}'`;
}

/** What else a column has, in lower case. */
export function columnExtra({ extra, generation }: ColumnRow): string {
  const rest = evenExpression(
    (extra ?? "").toLowerCase().replace(/\b(?:default_generated|(?:stored|virtual|persistent) generated)\b/g, ""),
  );
  const kind = /virtual/i.test(extra ?? "") ? "virtual" : "stored";
  const generated = generation ? `generated always as (${generation}) ${kind}` : "";
  return [generated, rest.trim()].filter(Boolean).join(" ");
}

function isNumeric({ type }: ColumnRow): boolean {
  return /^(?:tinyint|smallint|mediumint|int|bigint|decimal|float|double|bit)\b/i.test(type ?? "");
}

/** MySQL writes `CURRENT_TIMESTAMP`, MariaDB `current_timestamp()`. */
function evenExpression(text: string): string {
  return text.replace(/\bcurrent_timestamp\b(?:\((\d*)\))?/gi, (_, digits: string | undefined) =>
    digits ? `current_timestamp(${digits})` : "current_timestamp",
  );
}
