import type { NodeAddress } from "../connection.js";
import type { Server } from "./server.js";

export const SLOTS = 16_384;

export interface ClusterNode extends NodeAddress {
  readonly id: string;
}

/** Slots that one master serves, both ends included; the master stands first, then the replicas that can be read. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly nodes: readonly ClusterNode[];
}

type SlotsReply = readonly [from: number, to: number, ...nodes: [host: string | null, port: number, id: string][]][];

/** CLUSTER SLOTS. @throws RedisCommandError */
export async function slotTable(server: Server): Promise<readonly SlotRange[]> {
  const reply = (await server.ask("CLUSTER", "SLOTS")) as SlotsReply;
  // A node that does not know its own address means the one it was asked at.
  const toNode = ([host, port, id]: [string | null, number, string]) => ({
    host: host && host !== "?" ? host : server.address.host,
    port,
    id,
  });
  return reply.map(([from, to, ...nodes]) => ({ from, to, nodes: nodes.map(toNode) }));
}

/** Slots without a master, as ranges such as `0-99` or `5461`. */
export function uncoveredSlots(table: readonly SlotRange[]): readonly string[] {
  const gaps: string[] = [];
  let next = 0;
  for (const { from, to } of [...table].sort((a, b) => a.from - b.from)) {
    if (from > next) gaps.push(rangeText(next, from - 1));
    next = Math.max(next, to + 1);
  }
  if (next < SLOTS) gaps.push(rangeText(next, SLOTS - 1));
  return gaps;
}

function rangeText(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`;
}

/** Which master has which slots, in a form that is equal where two servers agree. */
export function ownership(table: readonly SlotRange[]): string {
  const ranges = [...table].sort((a, b) => a.from - b.from);
  return ranges.map(({ from, to, nodes }) => `${from}-${to} ${nodes[0]?.id}`).join("\n");
}

/** A slot that a node gives away (`to`) or takes (`from`), as it says of itself. */
export interface MovingSlot {
  readonly slot: number;
  readonly direction: "to" | "from";
  readonly otherId: string;
}

/** A line of CLUSTER NODES. */
export interface KnownNode {
  readonly id: string;
  readonly name: string;
  readonly flags: readonly string[];
  /** Of a replica. */
  readonly masterId: string | undefined;
  readonly slots: number;
  /** Of the node itself only. */
  readonly moving: readonly MovingSlot[];
}

/** CLUSTER NODES. @throws RedisCommandError */
export async function knownNodes(server: Server): Promise<readonly KnownNode[]> {
  const text = String(await server.ask("CLUSTER", "NODES"));
  return text.trim().split("\n").map(toKnownNode);
}

/** `id host:port@bus[,hostname] flags masterId ping pong epoch link range…`; a range in brackets is a slot on the move. */
function toKnownNode(line: string): KnownNode {
  const [id = "", address = "", flags = "", masterId = "-", , , , , ...ranges] = line.trim().split(" ");
  const moving = ranges.flatMap((range) => {
    const match = /^\[(\d+)-([<>])-(\w+)\]$/.exec(range);
    if (!match) return [];
    return [{ slot: Number(match[1]), direction: match[2] === ">" ? "to" : "from", otherId: match[3] } as MovingSlot];
  });
  return {
    id,
    name: address.replace(/@.*$/, ""),
    flags: flags.split(","),
    masterId: masterId === "-" ? undefined : masterId,
    slots: ranges.filter((range) => !range.startsWith("[")).reduce((sum, range) => sum + sizeOfRange(range), 0),
    moving,
  };
}

function sizeOfRange(range: string): number {
  const [from = 0, to = from] = range.split("-").map(Number);
  return to - from + 1;
}

/** CLUSTER INFO, by field. @throws RedisCommandError */
export async function clusterInfo(server: Server): Promise<ReadonlyMap<string, string>> {
  const text = String(await server.ask("CLUSTER", "INFO"));
  return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map((line) => [line[1], line[2]] as [string, string]));
}
