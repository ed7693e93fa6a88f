/** Something to be measured; `after` undoes it and is not counted. */
export interface Contender {
  run(call: number): Promise<unknown>;
  after?(call: number): Promise<unknown>;
}

/** Milliseconds of each call, by round. */
export type Times = readonly (readonly number[])[];

/** Measures all in turn, round by round; each comes first equally often, and after each other, so that no place in a round favours one. */
export async function measureTogether<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  { rounds, calls, before }: { rounds: number; calls: number; before?: () => Promise<unknown> },
): Promise<Readonly<Record<Name, Times>>> {
  const names = Object.keys(contenders) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[][]])) as Record<Name, number[][]>;
  // The round before the first warms both sides up.
  for (let round = -1; round < rounds; round += 1) {
    await before?.();
    for (const name of orderOf(names, round)) {
      const measured = await measure(contenders[name], calls, (round + 1) * calls);
      if (round >= 0) times[name].push(measured);
    }
  }
  return times;
}

function orderOf<Name>(names: readonly Name[], round: number): Name[] {
  const first = (round + names.length) % names.length;
  const order = [...names.slice(first), ...names.slice(0, first)];
  return Math.floor(round / names.length) % 2 === 0 ? order : order.toReversed();
}

async function measure(contender: Contender, calls: number, first: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = first; call < first + calls; call += 1) {
    const began = performance.now();
    await contender.run(call);
    times.push(performance.now() - began);
    await contender.after?.(call);
  }
  return times;
}

export function medianOf(times: Times): number {
  return quantile(times.flat(), 0.5);
}

export function p99Of(times: Times): number {
  return quantile(times.flat(), 0.99);
}

/**
 * The middle of the rounds' ratios: what slows one round down slows both sides. Their geometric mean without the outer quarters, and not
 * their median: where it matters who comes first in a round, the ratios stand in two heaps, and the median is at the edge of one.
 */
export function ratioOf(ours: Times, raw: Times): number {
  const ratios = ours.map((round, index) => quantile(round, 0.5) / quantile(raw[index] ?? [], 0.5));
  const quarter = Math.floor((ratios.length + 1) / 4);
  const middle = ratios.sort((a, b) => a - b).slice(quarter, ratios.length - quarter);
  return Math.exp(middle.reduce((sum, ratio) => sum + Math.log(ratio), 0) / middle.length);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
