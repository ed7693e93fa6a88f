import type { Check, Finding } from "../../doctor/check.js";
import { clusterInfo, knownNodes, ownership, slotTable, uncoveredSlots } from "./clusterView.js";
import { certificateFaults } from "./network.js";
import type { RedisPatient, Visit } from "./patient.js";
import { list, perServer } from "./perServer.js";
import { isRefused, nameOf, type Server } from "./server.js";

const SINGLE: Finding = { verdict: "skipped", saw: "REDIS_CLUSTER_MODE_ON is false" };
const MEND = "Bring their master back, or give the slots to another: redis-cli --cluster fix <address of a node>";

type Run = Check<RedisPatient>["run"];

function clusterCheck(id: string, title: string, run: Run): Check<RedisPatient> {
  const needs = ["redis.mode"];
  return {
    id,
    title,
    needs,
    run: async (patient, signal) => (patient.config.mode === "single" ? SINGLE : run(patient, signal)),
  };
}

/** What each node says of the cluster, and whether they agree. */
export const clusterChecks: readonly Check<RedisPatient>[] = [
  clusterCheck("redis.cluster.state", "state of the cluster", (patient) => perServer(patient, state)),
  clusterCheck("redis.cluster.slots", "every slot has a master", (patient) => perServer(patient, coverage)),
  clusterCheck("redis.cluster.agreement", "nodes agree who has which slots", agreement),
  clusterCheck("redis.cluster.addresses", "announced addresses can be reached from here", addresses),
  clusterCheck("redis.cluster.nodes", "nodes that fail", nodes),
  clusterCheck("redis.cluster.replicas", "each master has a replica", replicas),
  clusterCheck("redis.cluster.migration", "slots on the move", migration),
];

async function state(server: Server): Promise<Finding> {
  const info = await clusterInfo(server);
  const counts = ["ok", "pfail", "fail"].map((kind) => `${info.get(`cluster_slots_${kind}`)} ${kind}`).join(", ");
  const saw = `cluster_state is ${info.get("cluster_state")} (slots: ${counts})`;
  if (info.get("cluster_state") === "ok") return { verdict: "ok", saw };
  const advice =
    "Look at the other findings of redis.cluster; while a failover is under way this passes within seconds, else bring the masters back";
  return { verdict: "failed", saw, advice };
}

async function coverage(server: Server): Promise<Finding> {
  const uncovered = uncoveredSlots(await slotTable(server));
  if (uncovered.length === 0) return { verdict: "ok", saw: "every slot is given to a master" };
  return { verdict: "failed", saw: `slots without a master: ${list(uncovered)}`, advice: MEND };
}

/** The table that most nodes have counts as the cluster's; who has another is named. */
async function agreement(patient: RedisPatient): Promise<readonly Finding[]> {
  const servers = await patient.servers();
  const views = await Promise.all(servers.map(viewOf));
  const known = views.flatMap((view) => view ?? []);
  if (known.length === 0) return [{ verdict: "skipped", saw: "no node tells" }];
  const findings = [
    odd(known, ({ table }) => table, "failed", "has another table of slots than most nodes"),
    odd(known, ({ epoch }) => epoch, "warning", "is at another epoch than most nodes"),
  ].flat();
  if (findings.length > 0) return findings;
  return [{ verdict: "ok", saw: `${known.length} nodes have the same table of slots, at epoch ${known[0]?.epoch}` }];
}

interface View {
  readonly name: string;
  readonly table: string;
  readonly epoch: string;
}

/** Undefined where the node does not tell; other checks say why. */
async function viewOf(server: Server): Promise<View | undefined> {
  try {
    const [table, info] = await Promise.all([slotTable(server), clusterInfo(server)]);
    return { name: server.name, table: ownership(table), epoch: info.get("cluster_current_epoch") ?? "" };
  } catch {
    return undefined;
  }
}

function odd(
  views: readonly View[],
  of: (view: View) => string,
  verdict: "failed" | "warning",
  what: string,
): readonly Finding[] {
  const counts = new Map<string, number>();
  for (const view of views) counts.set(of(view), (counts.get(of(view)) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] as [string, number];
  const different = views.filter((view) => of(view) !== most);
  if (different.length === 0) return [];
  const advice =
    "Run the doctor again: after a failover or a resharding this passes within seconds; if it stays, the nodes do not hear each other (the cluster bus is the port + 10000), or redis-cli --cluster fix";
  return [{ verdict, saw: `${list(different.map(({ name }) => name))}: ${what}`, advice }];
}

async function addresses(patient: RedisPatient, signal: AbortSignal): Promise<readonly Finding[]> {
  const announced = (await patient.visits()).filter(({ configured }) => !configured);
  const findings = (await Promise.all(announced.map((visit) => announcedFindings(patient, visit, signal)))).flat();
  return findings.length > 0 ? findings : [{ verdict: "ok", saw: announcedText(announced.length, patient.leftOut) }];
}

const OPEN_THE_WAY =
  "The client is sent to this address: start the node, open the way to it, or have it announce an address that can be reached (cluster-announce-ip, cluster-announce-hostname)";

/** Of one that works, only what is wrong with its certificate. */
async function announcedFindings(
  patient: RedisPatient,
  visit: Visit,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { address, name, server, error, isReplica } = visit;
  const certificate = patient.config.tls ? await certificateFaults(patient, address, signal) : [];
  if (server) return certificate;
  const what = `${name} is announced as a ${isReplica ? "replica" : "master"} and cannot be used`;
  const saw = error ? `${what}: ${error.message}` : what;
  // Nothing is sent to a replica, until it becomes a master.
  return [{ verdict: isReplica ? "warning" : "failed", saw, advice: OPEN_THE_WAY }, ...certificate];
}

function announcedText(count: number, leftOut: number): string {
  if (count === 0) return "every announced node is one of the configured addresses";
  const more = leftOut > 0 ? `; ${leftOut} more were not looked at` : "";
  return `${count} nodes besides the configured ones, all reached${more}`;
}

/** As the first node that tells sees it: each knows what most of them agreed on. */
async function firstTable(patient: RedisPatient) {
  let refusal: unknown;
  for (const server of await patient.servers()) {
    try {
      return await knownNodes(server);
    } catch (error) {
      refusal = error;
    }
  }
  if (isRefused(refusal)) return undefined;
  throw refusal;
}

const NOT_TOLD: Finding = {
  verdict: "skipped",
  saw: "this user may not ask for CLUSTER NODES",
  advice: "Run the doctor as a user with +cluster|nodes to see it",
};

const REVIVE =
  "Start the node again, or CLUSTER FAILOVER TAKEOVER on a replica of it; where both are gone for good redis-cli --cluster fix gives its slots to others, without what they held";

async function nodes(patient: RedisPatient): Promise<readonly Finding[]> {
  const known = await firstTable(patient);
  if (!known) return [NOT_TOLD];
  const findings = known.flatMap(({ id, name, flags, slots, masterId }): Finding[] => {
    const is = ["fail", "fail?", "noaddr", "handshake"].filter((flag) => flags.includes(flag)).join(",");
    if (!is) return [];
    const role = masterId ? "a replica" : `a master of ${slots} slots`;
    const advice =
      slots > 0 ? REVIVE : `Start the node again; if it is gone for good, on each of the others: CLUSTER FORGET ${id}`;
    return [{ verdict: slots > 0 ? "failed" : "warning", saw: `${name}, ${role}, is marked ${is}`, advice }];
  });
  return findings.length > 0 ? findings : [{ verdict: "ok", saw: `none of ${known.length} nodes` }];
}

async function replicas(patient: RedisPatient): Promise<readonly Finding[]> {
  const masters = await mastersOf(patient);
  const alone = masters.filter(({ replicas }) => replicas === 0).map(({ name }) => name);
  if (alone.length === 0) return [{ verdict: "ok", saw: `${masters.length} masters, each with a replica` }];
  const advice =
    "Start their replicas, or add some (redis-cli --cluster add-node … --cluster-slave): when such a master dies, its meetings' signals stop and may be lost";
  return [{ verdict: "warning", saw: `masters without a working replica: ${list(alone)}`, advice }];
}

interface Master {
  readonly name: string;
  readonly replicas: number;
}

/** CLUSTER SLOTS, which every user of this package may ask for, leaves out replicas that fail or have not caught up. */
async function mastersOf(patient: RedisPatient): Promise<readonly Master[]> {
  const known = await firstTable(patient);
  if (known) {
    const works = known.filter(({ flags }) => !flags.some((flag) => flag.startsWith("fail") || flag === "noaddr"));
    const masters = known.filter(({ slots }) => slots > 0);
    return masters.map(({ id, name }) => ({ name, replicas: works.filter(({ masterId }) => masterId === id).length }));
  }
  const [first] = await patient.servers();
  const table = first ? await slotTable(first) : [];
  const masters = new Map<string, Master>();
  for (const { nodes } of table)
    if (nodes[0]) masters.set(nodes[0].id, { name: nameOf(nodes[0]), replicas: nodes.length - 1 });
  return [...masters.values()];
}

/** Each node tells of its own slots only. */
async function migration(patient: RedisPatient): Promise<readonly Finding[]> {
  const advice = (name: string) =>
    `If nobody is resharding at this moment it is stuck, and the slot's meetings are slow: redis-cli --cluster fix ${name}`;
  const found = await perServer(patient, async (server) => {
    const moving = (await knownNodes(server)).flatMap((node) => node.moving);
    const of = (direction: string) =>
      moving.filter((each) => each.direction === direction).map(({ slot }) => `${slot}`);
    const saw = [
      of("to").length > 0 ? `gives away slots ${list(of("to"))}` : "",
      of("from").length > 0 ? `takes slots ${list(of("from"))}` : "",
    ].filter(Boolean);
    if (saw.length === 0) return { verdict: "ok", saw: "no slot is on the move" };
    return { verdict: "warning", saw: saw.join("; "), advice: advice(server.name) };
  });
  return found;
}
