import type { Attributes } from "./telemetry.js";

/** As many as OpenTelemetry's SDK keeps of one metric. */
const MOST_SERIES = 2_000;
const OVERFLOW = "overflow";

type Branch<S> = Map<string | undefined, Branch<S> | Series<S>>;

export interface Series<S> {
  readonly attributes: Attributes;
  readonly state: S;
}

/**
 * What is known of one metric, by its attributes. Attributes that the metric does not have are left out, and so are empty ones.
 * At most 2,000 series are kept; what comes later shares one whose attributes are all `overflow`.
 *
 * Found by walking from one attribute's value to the next: several times faster than making a key of them, as the libraries do.
 */
export class SeriesTable<S> {
  readonly #keys: readonly string[];
  readonly #make: (attributes: Attributes) => S;
  readonly #root: Branch<S> = new Map();
  readonly #all: Series<S>[] = [];
  #overflow: Series<S> | undefined;

  constructor(keys: readonly string[], make: (attributes: Attributes) => S) {
    this.#keys = keys;
    this.#make = make;
  }

  get all(): readonly Series<S>[] {
    return this.#all;
  }

  /** The state for these attributes, made if it is new. */
  of(attributes: Attributes): S {
    let branch = this.#root;
    const last = this.#keys.length - 1;
    for (let i = 0; i < last; i += 1) {
      const value = attributes[this.#keys[i] as string] || undefined;
      branch = (branch.get(value) as Branch<S> | undefined) ?? this.#grow(branch, value);
    }
    const value = last < 0 ? undefined : attributes[this.#keys[last] as string] || undefined;
    return ((branch.get(value) as Series<S> | undefined) ?? this.#add(branch, value, attributes)).state;
  }

  clear(): void {
    this.#root.clear();
    this.#all.length = 0;
    this.#overflow = undefined;
  }

  #grow(branch: Branch<S>, value: string | undefined): Branch<S> {
    const grown: Branch<S> = new Map();
    // Full: nothing will be put into it.
    if (!this.#full) branch.set(value, grown);
    return grown;
  }

  #add(branch: Branch<S>, value: string | undefined, attributes: Attributes): Series<S> {
    if (this.#full) return this.#overflowing();
    const known: Attributes = Object.fromEntries(
      this.#keys.flatMap((key) => (attributes[key] ? [[key, attributes[key]]] : [])),
    );
    const series = { attributes: known, state: this.#make(known) };
    branch.set(value, series);
    this.#all.push(series);
    return series;
  }

  get #full(): boolean {
    return this.#all.length >= MOST_SERIES - 1;
  }

  #overflowing(): Series<S> {
    if (!this.#overflow) {
      const attributes = Object.fromEntries(this.#keys.map((key) => [key, OVERFLOW]));
      this.#overflow = { attributes, state: this.#make(attributes) };
      this.#all.push(this.#overflow);
    }
    return this.#overflow;
  }
}

export interface Sum {
  value: number;
}

export const newSum = (): Sum => ({ value: 0 });

/** Counts observations; `counts` has one place more than there are bounds, for what is above them all. */
export interface Distribution {
  readonly counts: number[];
  sum: number;
  count: number;
}

export function newDistribution(bounds: readonly number[]): Distribution {
  return { counts: new Array(bounds.length + 1).fill(0), sum: 0, count: 0 };
}

export function observe(distribution: Distribution, bounds: readonly number[], value: number): void {
  let place = 0;
  while (place < bounds.length && value > (bounds[place] as number)) place += 1;
  (distribution.counts[place] as number) += 1;
  distribution.sum += value;
  distribution.count += 1;
}

/** A number that is none, or below 0, must not spoil what was measured before it. */
export function isMeasurement(value: number): boolean {
  return value >= 0 && value < Number.POSITIVE_INFINITY;
}
