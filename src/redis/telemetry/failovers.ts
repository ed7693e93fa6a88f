import type { Instruments } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { Topology } from "../following/topology.js";

const SLOTS = 16_384;
/**
 * A node that has not heard of a failover yet may be asked next and name the old master again. So long, in milliseconds, the way back
 * is taken for that; a real one is told a little later.
 */
const STALE_FOR_MS = 10_000;

/** Tells when a slot's master changes, by the slot tables that the client reads. */
export class Failovers {
  readonly #owners: (string | undefined)[] = [];
  /** When each change was told, by its masters. */
  readonly #toldAt = new Map<string, number>();

  constructor(
    private readonly topology: Topology,
    private readonly logger: Logger,
    private readonly instruments: Instruments,
  ) {}

  /** Until the function returned is called. */
  watch(): () => void {
    return this.topology.onChange(() => this.#compare());
  }

  #compare(): void {
    const now = Array.from({ length: SLOTS }, (_, slot) => this.topology.ownerOf(slot));
    const moves = new Map<string, number[]>();
    for (const [slot, to] of now.entries()) {
      const from = this.#owners[slot];
      if (to === from || to === undefined) continue;
      if (from === undefined) this.#owners[slot] = to;
      else listOf(moves, `${from} ${to}`).push(slot);
    }
    const [before, after] = [new Set(this.#owners), new Set(now)];
    for (const [masters, slots] of moves) {
      const [from = "", to = ""] = masters.split(" ");
      if (this.#isStale(`${to} ${from}`)) continue;
      for (const slot of slots) this.#owners[slot] = to;
      // Slots that move between nodes that were and are masters are a resharding.
      if (before.has(to) || after.has(from)) this.#tellMove(from, to, slots);
      else this.#tellFailover(from, to, slots);
    }
  }

  #isStale(wayBack: string): boolean {
    return performance.now() - (this.#toldAt.get(wayBack) ?? Number.NEGATIVE_INFINITY) < STALE_FOR_MS;
  }

  #tellFailover(from: string, to: string, slots: readonly number[]): void {
    this.#toldAt.set(`${from} ${to}`, performance.now());
    this.instruments.count(METRICS.redisFailovers);
    const fields = { event: "redis.failover", from, to, slots: rangesOf(slots) };
    this.logger.warn(fields, "Another Redis node is the master of these slots now");
  }

  #tellMove(from: string, to: string, slots: readonly number[]): void {
    const fields = { event: "redis.slots", from, to, slots: rangesOf(slots) };
    this.logger.debug(fields, "Slots have moved to another Redis node");
  }
}

function listOf(moves: Map<string, number[]>, masters: string): number[] {
  const list = moves.get(masters) ?? [];
  moves.set(masters, list);
  return list;
}

/** As `0-5460 8000`. */
function rangesOf(slots: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const slot of slots) {
    const range = ranges.at(-1);
    if (range && range[1] === slot - 1) range[1] = slot;
    else ranges.push([slot, slot]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
}
