import { NoCapacityError } from "../src/errors.js";
import type { Ground } from "./ground.js";
import { type Contender, measureTogether, medianOf, p99Of, type Times } from "./measure.js";
import { beat, TENANT } from "./seed.js";
import { type Line, ms, times } from "./table.js";

const P99_BAR_MS = 20;
/** Publishers and viewers of the meetings that are placed in turn. */
const MEETINGS = [
  [2, 0],
  [5, 5],
  [1, 100],
  [10, 0],
  [3, 30],
  [8, 20],
  [10, 40],
] as const;

/** Today's way: the whole fleet is summed up for each meeting, and nothing is reserved. */
const SUMMED = `SELECT container.container_id, container.host, worker.worker_id,
    COALESCE(SUM(COALESCE(router.producer_capacity, 0) + COALESCE(router.consumer_capacity, 0)
      + COALESCE(router.capacity, 0)), 0) AS used
  FROM container_heartbeat container
    JOIN worker_container worker ON worker.container_id = container.container_id
    LEFT JOIN router_worker placed ON placed.worker_id = worker.worker_id
    LEFT JOIN router_meeting router ON router.router_id = placed.router_id
  WHERE container.tenant = ? AND container.heartbeat > ?
  GROUP BY container.container_id, container.host, worker.worker_id`;

/** The mix, and of it the meeting that most media nodes cannot take although they have the room in sum. */
const DEMANDS: Readonly<Record<string, readonly (typeof MEETINGS)[number][]>> = {
  "mixed meetings": MEETINGS,
  "20 + 1,000 streams": [[10, 40]],
};

export async function compareAllocate(grounds: ReadonlyMap<number, Ground>): Promise<Line[]> {
  const before = () => Promise.all([...grounds.values()].map(({ raw }) => beat(raw)));
  const summed = await measureTogether(contendersOf(grounds, summing), { rounds: 3, calls: 1, before });
  const lines: Line[] = [];
  for (const [name, demands] of Object.entries(DEMANDS)) {
    const contenders = contendersOf(grounds, (ground) => allocating(ground, demands));
    const ours = await measureTogether(contenders, { rounds: 15, calls: 42, before });
    for (const nodes of grounds.keys()) lines.push(lineOf(`allocate ${name}`, nodes, ours, summed));
  }
  return lines;
}

function lineOf(
  operation: string,
  nodes: number,
  ours: Readonly<Record<number, Times>>,
  summed: Readonly<Record<number, Times>>,
): Line {
  const [all, smallest] = [Object.keys(ours).map(Number), Math.min(...Object.keys(ours).map(Number))];
  const own = ours[nodes] ?? [];
  const growth = medianOf(own) / medianOf(ours[smallest] ?? []);
  const allowed = Math.log(nodes) / Math.log(smallest);
  const isLargest = nodes === Math.max(...all);
  return {
    operation: `${operation}, ${nodes} nodes`,
    ours: describeTimes(own),
    other: `summing the fleet: ${ms(medianOf(summed[nodes] ?? []))}`,
    ratio: `${times(growth)} the median of ${smallest} nodes`,
    bar: nodes === smallest ? "" : `≤ ${allowed.toFixed(1)} ×${isLargest ? `, p99 ≤ ${P99_BAR_MS} ms` : ""}`,
    ...(nodes !== smallest && { passed: growth <= allowed && (!isLargest || p99Of(own) <= P99_BAR_MS) }),
  };
}

function describeTimes(measured: Times): string {
  return `median ${ms(medianOf(measured))}, p99 ${ms(p99Of(measured))}`;
}

function contendersOf(
  grounds: ReadonlyMap<number, Ground>,
  contender: (ground: Ground) => Contender,
): Record<number, Contender> {
  return Object.fromEntries([...grounds].map(([nodes, ground]) => [nodes, contender(ground)]));
}

/** The room is given back after each call, so that all calls meet the same fleet. */
function allocating(
  { repositories: { fleet, meetings } }: Ground,
  demands: readonly (typeof MEETINGS)[number][],
): Contender {
  let reservationId: string | undefined;
  return {
    run: async (call) => {
      const [publishers, viewers] = demands[call % demands.length] as (typeof MEETINGS)[number];
      const demand = meetings.calculateCapacity({ publishers, viewers });
      reservationId = undefined;
      try {
        ({ reservationId } = await fleet.allocate({ tenant: TENANT, ...demand }));
      } catch (error) {
        // A small fleet may have no room for the largest; finding that out is measured too.
        if (!(error instanceof NoCapacityError)) throw error;
      }
    },
    after: async () => reservationId && fleet.release(reservationId),
  };
}

function summing({ raw }: Ground): Contender {
  return { run: () => raw.query(SUMMED, [TENANT, 0]) };
}

/** Where the order by room helps least: all nodes have enough in sum, and none on a single worker. */
export async function showScatteredRoom(ground: Ground, nodes: number): Promise<Line[]> {
  const { fleet } = ground.repositories;
  const refused = () =>
    fleet.allocate({ tenant: TENANT, producerCapacity: 501, consumerCapacity: 0 }).catch((error: unknown) => {
      if (!(error instanceof NoCapacityError)) throw error;
    });
  const { ours } = await measureTogether(
    { ours: { run: refused } },
    { rounds: 10, calls: 3, before: () => beat(ground.raw) },
  );
  return [
    {
      operation: `allocate, refused: ${nodes} nodes, room on none of their workers`,
      ours: describeTimes(ours),
      other: "",
      ratio: "",
      bar: "",
    },
  ];
}
