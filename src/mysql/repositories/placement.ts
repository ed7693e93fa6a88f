import { InvalidInputError } from "../../errors.js";

/** What a meeting asks for, in streams. */
export interface Demand {
  readonly producerCapacity: number;
  readonly consumerCapacity: number;
}

export interface WorkerRoom {
  readonly workerId: string;
  readonly capacity: number;
  /** The capacities of its routers and of live reservations together. */
  readonly used: number;
}

/** A live media node that has room for the demand. */
export interface Candidate {
  readonly containerId: string;
  readonly host: string;
  readonly workers: readonly WorkerRoom[];
}

/** A worker and how much of the demand it takes. */
export interface Share {
  readonly workerId: string;
  readonly capacity: number;
}

/** Producers on one worker, consumers on others of the same media node. */
export interface Layout {
  readonly producer: Share;
  readonly consumers: readonly Share[];
}

export interface Choice extends Layout {
  readonly containerId: string;
  /** Why this one, in a sentence for people. */
  readonly reason: string;
}

/**
 * Chooses a candidate, or none of them; then more are offered, as long as there are any. Must be pure: it is asked again
 * with the chosen candidate alone, as that is once it is locked.
 */
export type PlacementStrategy = (candidates: readonly Candidate[], demand: Demand) => Choice | undefined;

/** The fullest media node that still fits, on it the fewest consumer workers; ties are broken by id. */
export const bestFit: PlacementStrategy = (candidates, demand) => {
  const fitting = candidates.flatMap((candidate) => {
    const layout = layOut(candidate.workers, demand);
    return layout ? [{ candidate, layout, free: roomOn(candidate.workers) }] : [];
  });
  fitting.sort((a, b) => a.free - b.free || compareIds(a.candidate.containerId, b.candidate.containerId));
  const [best] = fitting;
  if (!best) return undefined;
  const { candidate, layout, free } = best;
  const { length } = layout.consumers;
  const reason = `${candidate.containerId} is the fullest that fits: ${free} free, ${length} worker(s) take the consumers`;
  return { containerId: candidate.containerId, ...layout, reason };
};

/**
 * The fullest worker that fits takes the producers, since the roomiest are then left for the consumers; of those as few
 * as possible, the last one the fullest that fits. Undefined when there is not room enough.
 */
export function layOut(
  workers: readonly WorkerRoom[],
  { producerCapacity, consumerCapacity }: Demand,
): Layout | undefined {
  const fullestFirst = [...workers].sort((a, b) => roomOf(a) - roomOf(b) || compareIds(a.workerId, b.workerId));
  // One above its limit takes nothing, not even nothing.
  const producer = fullestFirst.find((worker) => worker.used <= worker.capacity && roomOf(worker) >= producerCapacity);
  if (!producer) return undefined;
  const others = fullestFirst.filter((worker) => worker !== producer && roomOf(worker) > 0);
  const consumers = spread(others, consumerCapacity);
  return consumers && { producer: { workerId: producer.workerId, capacity: producerCapacity }, consumers };
}

function spread(fullestFirst: WorkerRoom[], demand: number): Share[] | undefined {
  const shares: Share[] = [];
  for (let rest = demand; rest > 0; ) {
    const worker = fullestFirst.find((each) => roomOf(each) >= rest) ?? firstOfRoomiest(fullestFirst);
    if (!worker) return undefined;
    fullestFirst.splice(fullestFirst.indexOf(worker), 1);
    const capacity = Math.min(rest, roomOf(worker));
    shares.push({ workerId: worker.workerId, capacity });
    rest -= capacity;
  }
  return shares;
}

function firstOfRoomiest(fullestFirst: readonly WorkerRoom[]): WorkerRoom | undefined {
  const most = fullestFirst.at(-1);
  return most && fullestFirst.find((worker) => roomOf(worker) === roomOf(most));
}

/** What is left on a worker. Other programs may have put more on it than fits. */
export function roomOf({ capacity, used }: WorkerRoom): number {
  return Math.max(0, capacity - used);
}

export function roomOn(workers: readonly WorkerRoom[]): number {
  return workers.reduce((sum, worker) => sum + roomOf(worker), 0);
}

/** In the order of `utf8mb4_bin`, which is that of the bytes. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * Holds a strategy to the rules: the whole demand, on distinct workers of the candidate, within their limits.
 * @throws InvalidInputError naming what it broke
 */
export function checkChoice(choice: Choice, { workers }: Candidate, demand: Demand): Choice {
  const shares = [choice.producer, ...choice.consumers];
  const rooms = new Map(workers.map((worker) => [worker.workerId, roomOf(worker)]));
  if (new Set(shares.map(({ workerId }) => workerId)).size !== shares.length)
    throw new InvalidInputError("strategy", "chose a worker twice for one meeting");
  if (shares.some(({ workerId, capacity }) => !Number.isInteger(capacity) || capacity > (rooms.get(workerId) ?? -1)))
    throw new InvalidInputError("strategy", "chose a worker that has no such room");
  const consumed = choice.consumers.reduce((sum, { capacity }) => sum + capacity, 0);
  if (choice.producer.capacity !== demand.producerCapacity || consumed !== demand.consumerCapacity)
    throw new InvalidInputError("strategy", "placed more or less than was asked for");
  return choice;
}

/** One router of a media node that is to be rebuilt elsewhere. */
export interface RouterDemand {
  readonly meetingId: string;
  readonly routerId: string;
  readonly amount: number;
}

/** A worker for each router, largest first, never two of one meeting on a worker; undefined when that does not fit. */
export function packRouters<R extends RouterDemand>(
  workers: readonly WorkerRoom[],
  routers: readonly R[],
): (R & { readonly workerId: string })[] | undefined {
  const rooms = workers.map((worker) => ({ ...worker, meetings: new Set<string>() }));
  const largestFirst = [...routers].sort((a, b) => b.amount - a.amount || compareIds(a.routerId, b.routerId));
  const packed: (R & { readonly workerId: string })[] = [];
  for (const router of largestFirst) {
    const fitting = rooms.filter((room) => roomOf(room) >= router.amount && !room.meetings.has(router.meetingId));
    const [roomiest] = fitting.sort((a, b) => roomOf(b) - roomOf(a) || compareIds(a.workerId, b.workerId));
    if (!roomiest) return undefined;
    roomiest.used += router.amount;
    roomiest.meetings.add(router.meetingId);
    packed.push({ ...router, workerId: roomiest.workerId });
  }
  return packed;
}
