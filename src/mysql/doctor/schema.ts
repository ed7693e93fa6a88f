import { escapeId } from "mysql2";
import type { Check, Finding } from "../../doctor/check.js";
import { type HistoryProblem, MigrationHistoryError, QueryError } from "../../errors.js";
import { type Drift, driftBetween, expectedSchemaText } from "../migrator/drift.js";
import { readHistory } from "../migrator/history.js";
import { type Queryable, readLiveSchema } from "../migrator/schemaReader.js";
import { blocksOf, type SchemaBlock, schemaBlocks } from "../migrator/schemaText.js";
import { statusOf } from "../migrator/status.js";
import type { SteppedMigration } from "../migrator/steppedMigration.js";
import { COLLATION } from "../migrator/tableDefinition.js";
import type { Approach, MysqlPatient } from "./patient.js";
import { databaseName } from "./quoting.js";
import { serverVariables } from "./variables.js";

const DATABASE = ["mysql.database"];

/** What the database holds, besides rows. */
export const schemaChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.schema", title: "the schema's version", needs: DATABASE, run: checkHistory },
  { id: "mysql.collation", title: "how text and ids compare", needs: DATABASE, run: checkCollation },
  { id: "mysql.triggers", title: "the triggers", needs: ["mysql.schema"], run: checkTriggers },
  { id: "mysql.drift", title: "the schema against what is expected", needs: ["mysql.schema"], run: checkDrift },
];

const UP = "Run doordarshan-data migrate up (migrate plan shows what it would do)";

/** As start() judges it. */
async function checkHistory(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { migrations } = await patient.connect("service");
  const known = (migrations as SteppedMigration[]).toSorted((a, b) => a.timestamp - b.timestamp);
  const statuses = statusOf(known, await readHistory(asking(patient, signal)));
  const problems = statuses.flatMap(({ name, problem }): HistoryProblem[] => (problem ? [{ name, problem }] : []));
  if (problems.length > 0)
    return {
      verdict: "failed",
      saw: new MigrationHistoryError(problems).message,
      advice: "Install the version that fits, as said of each; migrate status shows all",
    };
  const missing = statuses.filter(({ state }) => state !== "applied").map(({ name, state }) => `${name} (${state})`);
  if (missing.length === 0) return { verdict: "ok", saw: `all ${statuses.length} migrations are applied` };
  return { verdict: "failed", saw: `not applied: ${missing.join(", ")}`, advice: UP };
}

function asking(patient: MysqlPatient, signal: AbortSignal, approach: Approach = "service"): Queryable {
  return { query: (sql, parameters = []) => patient.ask(signal, sql, parameters, approach) };
}

const DEFAULTS = `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation
  FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()`;
const MAX_COLUMNS = 20;
const ID_COLUMNS = `SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) AS name, COLLATION_NAME AS collation
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?)
  AND COLLATION_NAME IS NOT NULL AND COLLATION_NAME <> ? LIMIT ${MAX_COLUMNS}`;

async function checkCollation(patient: MysqlPatient, signal: AbortSignal): Promise<readonly Finding[]> {
  const { database } = patient.config;
  const { entityMetadatas } = await patient.connect("service");
  const tables = entityMetadatas.map(({ tableName }) => tableName);
  const [defaults] = await patient.ask<{ charset: string; collation: string }>(signal, DEFAULTS);
  const columns = await patient.ask<{ name: string; collation: string }>(signal, ID_COLUMNS, [tables, COLLATION]);
  const findings: Finding[] = [];
  if (columns.length > 0)
    findings.push({
      verdict: "failed",
      saw: `ids do not compare byte for byte: ${columns.map(({ name, collation }) => `${name} is ${collation}`).join(", ")}`,
      advice: `${UP}; where it has nothing to do, migrate check names the columns to convert to ${COLLATION}`,
    });
  if (defaults?.charset !== "utf8mb4")
    findings.push({
      verdict: "warning",
      saw: `tables made by hand get ${defaults?.collation}, the default of ${database}`,
      advice: `ALTER DATABASE ${databaseName(database)} CHARACTER SET utf8mb4 COLLATE ${COLLATION}`,
    });
  return findings.length > 0 ? findings : [{ verdict: "ok", saw: `${defaults?.collation}; ids are ${COLLATION}` }];
}

/** Neither needs the privilege TRIGGER: what there is and may not be seen is refused otherwise than what there is not. */
const NO_SUCH_TRIGGER = 1360;

async function checkTriggers(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const expected = await expectedTriggers();
  const missing: string[] = [];
  for (const name of expected) if ((await lookAt(patient, signal, name)) === "missing") missing.push(name);
  if (missing.length === 0) return { verdict: "ok", saw: `all ${expected.length} triggers are there` };
  const variables = await serverVariables(patient, signal);
  const isRefused = variables.isOn("log_bin") && !variables.isOn("log_bin_trust_function_creators");
  const trust =
    "SET GLOBAL log_bin_trust_function_creators = ON (the server writes a binary log and refuses triggers otherwise, 1419), then: ";
  return {
    verdict: "failed",
    saw: `missing: ${missing.join(", ")}; placement does not count what other programs write, and their deletes leave rows`,
    advice: `${isRefused ? trust : ""}doordarshan-data migrate up, then doordarshan-data doctor --fix`,
  };
}

async function expectedTriggers(): Promise<string[]> {
  return blocksOf(await expectedSchemaText()).flatMap(({ title }) => /^CREATE TRIGGER (\S+)/.exec(title)?.[1] ?? []);
}

async function lookAt(
  patient: MysqlPatient,
  signal: AbortSignal,
  trigger: string,
  approach: Approach = "service",
): Promise<"seen" | "hidden" | "missing"> {
  try {
    await patient.ask(signal, `SHOW CREATE TRIGGER ${escapeId(trigger, true)}`, [], approach);
    return "seen";
  } catch (error) {
    if (!(error instanceof QueryError) || error.errno === undefined) throw error;
    return error.errno === NO_SUCH_TRIGGER ? "missing" : "hidden";
  }
}

async function checkDrift(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const approach = await patient.mostSeeing();
  const compared = (await seesTriggers(patient, signal, approach)) ? () => true : isNoTrigger;
  const expected = blocksOf(await expectedSchemaText()).filter(compared);
  const found = schemaBlocks(await readLiveSchema(asking(patient, signal, approach))).filter(compared);
  const text = expected.map(({ lines }) => lines.join("\n")).join("\n\n");
  return driftFinding(driftBetween(text, found), compared !== isNoTrigger);
}

/** To a user without the privilege TRIGGER MySQL shows no trigger, and MariaDB none's body. */
async function seesTriggers(patient: MysqlPatient, signal: AbortSignal, approach: Approach): Promise<boolean> {
  for (const name of await expectedTriggers()) {
    const state = await lookAt(patient, signal, name, approach);
    if (state !== "missing") return state === "seen";
  }
  return true;
}

function isNoTrigger({ title }: SchemaBlock): boolean {
  return !title.startsWith("CREATE TRIGGER");
}

const MAX_LINES = 10;

function driftFinding({ tables }: Drift, sawTriggers: boolean): Finding {
  const unseen = sawTriggers
    ? ""
    : "; what the triggers do was not compared, for which MYSQL_MIGRATION_USERNAME must name who migrates";
  if (tables.length === 0) return { verdict: "ok", saw: `the schema is as this version expects it${unseen}` };
  const lines = tables.flatMap(({ table, lines }) => lines.map((line) => `${table} ${line.trim()}`));
  const more = lines.length > MAX_LINES ? ` … ${lines.length - MAX_LINES} more` : "";
  return {
    verdict: "warning",
    saw: `${lines.slice(0, MAX_LINES).join("; ")}${more}${unseen}`,
    advice:
      "Undo what was changed by hand (- is missing, + is too much); doordarshan-data migrate check shows all of it",
  };
}
