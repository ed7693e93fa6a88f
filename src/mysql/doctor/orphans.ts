import type { Check, Finding } from "../../doctor/check.js";
import { KINSHIPS, type Kinship, sweepOrphans } from "../repositories/orphans.js";
import type { MysqlPatient } from "./patient.js";

/** What the rows say; a sample of each table, so that it costs the same however large the fleet is. */
export const orphanChecks: readonly Check<MysqlPatient>[] = [
  {
    id: "mysql.orphans",
    title: "rows that have lost their meeting or participant",
    needs: ["mysql.schema"],
    run: checkOrphans,
  },
];

const SAMPLE = 10_000;

/** Keys that `sweepOrphans` does not look at, as most of their rows go with their participant's. */
const OTHER_KEYS: readonly Kinship[] = [
  ["participant_consumers", "transport_id", "participant_consumer_transport", "transport_id"],
  ["participant_producers", "transport_id", "participant_producer_transport", "transport_id"],
  ["participant_consumer_router", "router_id", "router_worker", "router_id"],
  ["participant_producer_router", "router_id", "router_worker", "router_id"],
  ["router_meeting", "router_id", "router_worker", "router_id"],
  ["router_worker", "worker_id", "worker_container", "worker_id"],
];

interface Orphans {
  readonly kinship: Kinship;
  readonly looked: number;
  readonly orphans: number;
}

async function checkOrphans(patient: MysqlPatient, signal: AbortSignal): Promise<readonly Finding[]> {
  const swept = await countAll(patient, signal, KINSHIPS);
  const others = await countAll(patient, signal, OTHER_KEYS);
  const findings = [...sweepable(patient, swept), ...remaining(others)];
  if (findings.length > 0) return findings;
  const isSample = [...swept, ...others].some(({ looked }) => looked === SAMPLE);
  const saw = isSample
    ? `none among the first ${SAMPLE} rows of each table; meetings.sweepOrphans() looks at all`
    : "none";
  return [{ verdict: "ok", saw }];
}

async function countAll(patient: MysqlPatient, signal: AbortSignal, kinships: readonly Kinship[]): Promise<Orphans[]> {
  const counts: Orphans[] = [];
  for (const kinship of kinships) counts.push(await count(patient, signal, kinship));
  return counts;
}

async function count(patient: MysqlPatient, signal: AbortSignal, kinship: Kinship): Promise<Orphans> {
  const [child, key, parent, parentKey] = kinship;
  const [row] = await patient.ask<{ looked: unknown; orphans: unknown }>(
    signal,
    `SELECT COUNT(*) AS looked, COALESCE(SUM(p.${parentKey} IS NULL), 0) AS orphans
     FROM (SELECT ${key} FROM ${child} WHERE ${key} IS NOT NULL LIMIT ${SAMPLE}) c
     LEFT JOIN ${parent} p ON p.${parentKey} = c.${key}`,
  );
  return { kinship, looked: Number(row?.looked), orphans: Number(row?.orphans) };
}

function sweepable(patient: MysqlPatient, counts: readonly Orphans[]): Finding[] {
  const told = textsOf(counts);
  if (told.length === 0) return [];
  return [
    {
      verdict: "warning",
      saw: told.join("; "),
      advice: "Run doordarshan-data doctor --fix, or call meetings.sweepOrphans(), which removes them",
      fix: () => patient.mend(async (database) => removedText(await sweepOrphans(database))),
    },
  ];
}

function remaining(counts: readonly Orphans[]): Finding[] {
  const told = textsOf(counts);
  if (told.length === 0) return [];
  const remedies = counts.filter(({ orphans }) => orphans > 0).map(({ kinship }) => deletionOf(kinship));
  return [
    { verdict: "warning", saw: told.join("; "), advice: `Look at these rows; ${remedies.join("; ")} removes them` },
  ];
}

function textsOf(counts: readonly Orphans[]): string[] {
  return counts
    .filter(({ orphans }) => orphans > 0)
    .map(({ kinship: [child, key, parent], orphans, looked }) => {
      const among = looked === SAMPLE ? ` among the first ${SAMPLE}` : "";
      return `${child} has ${orphans} row(s)${among} whose ${key} is not in ${parent}`;
    });
}

/** Never run by us. */
function deletionOf([child, key, parent, parentKey]: Kinship): string {
  return `DELETE FROM ${child} WHERE ${key} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${parent} p WHERE p.${parentKey} = ${child}.${key})`;
}

function removedText(removed: ReadonlyMap<string, number>): string {
  const told = [...removed].filter(([, rows]) => rows > 0).map(([table, rows]) => `${rows} of ${table}`);
  return told.length > 0 ? `removed ${told.join(", ")}` : "nothing was left to remove";
}
