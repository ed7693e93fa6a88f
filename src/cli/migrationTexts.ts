import type { MigrationPlan, PlannedStatement } from "../mysql/migrator/plan.js";
import { sizeText } from "../mysql/migrator/progress.js";
import type { MigrationStatus } from "../mysql/migrator/status.js";
import { layOut } from "./table.js";
import { type Span, toLine } from "./terminalText.js";

export const UP_TO_DATE = "Nothing to do: the database is up to date.";

/** `Applied 2 migrations:` and their names. */
export function doneText(verb: "Applied" | "Reverted", names: readonly string[]): string {
  return [`${verb} ${count(names.length, "migration")}:`, ...names.map((name) => `  ${name}`)].join("\n");
}

const STATUS_COLUMNS = ["migration", "state", "applied at (UTC)", "checksum"].map((title) => ({ title, rank: 0 }));
const PLAIN = { columns: undefined, colours: false };

/** A table of all migrations, and how many are pending. */
export function statusText(statuses: readonly MigrationStatus[]): string {
  const pending = statuses.filter(({ state }) => state !== "applied").length;
  const rows = statuses.map(({ name, state, appliedAt, problem }) => [
    name,
    state === "reverting" ? "half reverted" : state,
    appliedAt?.toISOString() ?? "-",
    problem ?? (state === "applied" ? "ok" : "-"),
  ]);
  const summary = `${statuses.length - pending} applied, ${pending} pending.`;
  const cells = rows.map((row) => row.map((text): Span => ({ text })));
  const table = layOut(STATUS_COLUMNS, cells, undefined).map((line) => toLine(line, PLAIN).trimEnd());
  return [...table, "", summary].join("\n");
}

/** What a plan calls the table that the migrations are recorded in. */
const HISTORY = "migrations";

/** Each migration's statements, and before each one what it means to the other programs. */
export function planText(plans: readonly MigrationPlan[]): string {
  if (plans.length === 0) return UP_TO_DATE;
  const statements = plans.flatMap((plan) => plan.statements);
  const waits = statements.filter((statement) => statement.blocks !== "nobody" && hasRows(statement)).length;
  const summary =
    `${count(plans.filter(({ name }) => name !== HISTORY).length, "migration")}, ${count(statements.length, "statement")}, ` +
    `${waits} of which ${waits === 1 ? "keeps" : "keep"} others waiting.`;
  return [...plans.map(migrationText), summary].join("\n\n");
}

function migrationText({ name, statements }: MigrationPlan): string {
  if (statements.length === 0) return `${name}\n  nothing left to do but to record it`;
  return [name, ...statements.map(statementText)].join("\n");
}

function statementText(statement: PlannedStatement): string {
  const { table, sql, size } = statement;
  const what = [...(size ? [sizeText(size)] : ["new"]), effectOf(statement)].join("; ");
  return `  ${table}: ${what}\n    ${sql.replaceAll(/\s+/g, " ")};`;
}

function effectOf(statement: PlannedStatement): string {
  const { blocks, rebuilds } = statement;
  const who = { nobody: "nobody waits", writers: "its writers wait", everyone: "its readers and writers wait" }[blocks];
  return rebuilds && hasRows(statement) ? `writes every row anew, ${who}` : who;
}

function hasRows({ size }: PlannedStatement): boolean {
  return (size?.rows ?? 0) > 0;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
