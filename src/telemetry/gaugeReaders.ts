import { withDeadline } from "../deadline.js";
import { DeadlineExceededError } from "../errors.js";
import type { Gauge } from "./metrics.js";
import { type Series, SeriesTable } from "./series.js";
import type { GaugeReader, Sample } from "./telemetry.js";

/** Most scrapers give up after ten seconds. */
const READ_TIMEOUT_MS = 2_000;

const TOGETHER: Readonly<Record<Gauge["together"], (one: number, other: number) => number>> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
};

/** The readers of one gauge, of one container or of several. */
export class GaugeReaders {
  readonly #gauge: Gauge;
  readonly #readings = new Set<Reading>();

  constructor(gauge: Gauge) {
    this.#gauge = gauge;
  }

  /** The function returned takes the reader off. */
  add(read: GaugeReader): () => void {
    const reading = new Reading(read);
    this.#readings.add(reading);
    return () => void this.#readings.delete(reading);
  }

  /**
   * What all show that answer within two seconds; the others show nothing. Values of the same attributes are taken together as the
   * gauge says.
   */
  async samples(): Promise<readonly Series<{ value: number }>[]> {
    const { attributes: keys, together } = this.#gauge;
    const table = new SeriesTable(keys, (): { value: number | undefined } => ({ value: undefined }));
    const read = await Promise.all([...this.#readings].map((reading) => reading.samples()));
    for (const { value, attributes = {} } of read.flat()) {
      const shown = table.of(attributes);
      shown.value = shown.value === undefined ? value : TOGETHER[together](shown.value, value);
    }
    return table.all as readonly Series<{ value: number }>[];
  }
}

class Reading {
  readonly #read: GaugeReader;
  #underWay: Promise<readonly Sample[]> | undefined;

  constructor(read: GaugeReader) {
    this.#read = read;
  }

  async samples(): Promise<readonly Sample[]> {
    const overdue = () => new DeadlineExceededError(`A gauge was not read within ${READ_TIMEOUT_MS} ms`);
    try {
      return await withDeadline({ timeoutMs: READ_TIMEOUT_MS, overdue }, (deadline) => deadline.race(this.#start()));
    } catch {
      return [];
    }
  }

  /** While a server hangs, collections share one question to it. */
  #start(): Promise<readonly Sample[]> {
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #ask(): Promise<readonly Sample[]> {
    return this.#read();
  }
}
