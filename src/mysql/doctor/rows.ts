import type { Check, Finding } from "../../doctor/check.js";
import { ALIVE_MS, NOW_NS } from "../repositories/clock.js";
import { recountLoads } from "../repositories/loads.js";
import { KINSHIPS, type Kinship, sweepOrphans } from "../repositories/orphans.js";
import { sweepReservations } from "../repositories/reservations.js";
import type { MysqlPatient } from "./patient.js";

const SCHEMA = ["mysql.schema"];

/** What the rows say. Each looks at a sample, so that it costs the same however large the fleet is. */
export const rowChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.orphans", title: "rows that have lost their meeting or participant", needs: SCHEMA, run: checkOrphans },
  { id: "mysql.fleet", title: "media nodes without a heartbeat", needs: SCHEMA, run: checkFleet },
  { id: "mysql.reservations", title: "expired reservations", needs: SCHEMA, run: checkReservations },
  { id: "mysql.loads", title: "the loads that placement goes by", needs: SCHEMA, run: checkLoads },
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

const MAX_NODES = 10;
const STALE = `SELECT h.container_id AS id, CAST((${NOW_NS} - h.heartbeat) DIV 1000000 AS CHAR) AS ms,
    EXISTS(SELECT 1 FROM worker_container w JOIN router_worker r ON r.worker_id = w.worker_id
      WHERE w.container_id = h.container_id) AS holds
  FROM container_heartbeat h
  WHERE h.heartbeat IS NULL OR h.heartbeat < ${NOW_NS} - ? OR h.heartbeat > ${NOW_NS} + ? LIMIT ${MAX_NODES}`;
const NANOSECONDS = "000000";

interface StaleNode {
  readonly id: string;
  readonly ms: string | null;
  readonly holds: unknown;
}

async function checkFleet(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const limit = `${ALIVE_MS}${NANOSECONDS}`;
  const nodes = await patient.ask<StaleNode>(signal, STALE, [limit, limit]);
  if (nodes.length === 0) return { verdict: "ok", saw: `every media node was heard of within ${ALIVE_MS / 1_000} s` };
  const more = nodes.length === MAX_NODES ? " and perhaps more" : "";
  return {
    verdict: "warning",
    saw: `not alive: ${nodes.map(nodeText).join(", ")}${more}`,
    advice:
      "Start these nodes or set their clocks. Of one that is gone for good, move the meetings (fleet.findReplacement, meetings.replace) and then call fleet.removeContainer",
  };
}

function nodeText({ id, ms, holds }: StaleNode): string {
  const seconds = Math.round(Math.abs(Number(ms)) / 1_000);
  const when =
    ms === null
      ? "never heard of"
      : Number(ms) < 0
        ? `heard of ${seconds} s in the future`
        : `heard of ${seconds} s ago`;
  return `${JSON.stringify(id)} (${when}${Number(holds) === 1 ? ", still holds meetings" : ""})`;
}

const MAX_RESERVATIONS = 1_000;
/** Each allocation clears some away, so that those which have just expired are no reason to worry. */
const TOLERATED_SECONDS = 60;
const EXPIRED = `SELECT COUNT(*) AS expired, CAST(MAX(age) AS CHAR) AS oldest FROM (
    SELECT TIMESTAMPDIFF(SECOND, expires_at, UTC_TIMESTAMP(3)) AS age FROM placement_reservation
    WHERE expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT ${MAX_RESERVATIONS}
  ) AS found`;

async function checkReservations(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const [row] = await patient.ask<{ expired: unknown; oldest: string | null }>(signal, EXPIRED);
  const [expired, oldest] = [Number(row?.expired), Number(row?.oldest ?? 0)];
  const saw = `${expired}${expired === MAX_RESERVATIONS ? " or more" : ""} expired, the oldest ${oldest} s ago`;
  if (oldest <= TOLERATED_SECONDS) return { verdict: "ok", saw: expired === 0 ? "none" : saw };
  return {
    verdict: "warning",
    saw: `${saw}; they keep room that nobody uses until the next fleet.allocate`,
    advice: "Run doordarshan-data doctor --fix, which gives their room back",
    fix: () =>
      patient.mend(async (database) => {
        let removed = 0;
        for (let swept = -1; swept !== 0; removed += swept) swept = await sweepReservations(database);
        return `gave the room of ${removed} expired reservation(s) back`;
      }),
  };
}

const SAMPLED_NODES = 500;
const WORKER_LOADS = `SELECT COUNT(*) AS looked, COALESCE(SUM(NOT (used <=> counted)), 0) AS wrong FROM (
    SELECT l.used,
      COALESCE((SELECT SUM(COALESCE(m.producer_capacity, 0) + COALESCE(m.consumer_capacity, 0) + COALESCE(m.capacity, 0))
        FROM router_worker r JOIN router_meeting m ON m.router_id = r.router_id WHERE r.worker_id = w.worker_id), 0)
      + COALESCE((SELECT SUM(p.amount) FROM placement_reservation p WHERE p.worker_id = w.worker_id), 0) AS counted
    FROM (SELECT worker_id FROM worker_container LIMIT ${SAMPLED_NODES}) w
    LEFT JOIN worker_load l ON l.worker_id = w.worker_id
  ) AS compared`;
const CONTAINER_LOADS = `SELECT COUNT(*) AS looked, COALESCE(SUM(NOT (free <=> counted AND tenant <=> actual)), 0) AS wrong FROM (
    SELECT c.free, c.tenant, h.tenant AS actual,
      COALESCE((SELECT SUM(GREATEST(l.capacity - l.used, 0)) FROM worker_load l WHERE l.container_id = h.container_id), 0) AS counted
    FROM (SELECT container_id, tenant FROM container_heartbeat LIMIT ${SAMPLED_NODES}) h
    LEFT JOIN container_load c ON c.container_id = h.container_id
  ) AS compared`;

async function checkLoads(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  type Compared = { looked: unknown; wrong: unknown };
  const [workers] = await patient.ask<Compared>(signal, WORKER_LOADS);
  const [nodes] = await patient.ask<Compared>(signal, CONTAINER_LOADS);
  const [wrongWorkers, wrongNodes] = [Number(workers?.wrong), Number(nodes?.wrong)];
  const looked = `${Number(workers?.looked)} worker(s) and ${Number(nodes?.looked)} media node(s) looked at`;
  if (wrongWorkers + wrongNodes === 0) return { verdict: "ok", saw: `right for the ${looked}` };
  return {
    verdict: "warning",
    saw: `wrong for ${wrongWorkers} worker(s) and ${wrongNodes} media node(s) of the ${looked}`,
    advice: "Run doordarshan-data doctor --fix, or call fleet.recount(); where triggers are missing, do so regularly",
    fix: () =>
      patient.mend(async (database) => {
        await recountLoads(database);
        return "counted all loads anew";
      }),
  };
}
