import { AsyncLocalStorage } from "node:async_hooks";

type Everything = Readonly<Record<symbol, unknown>>;

/**
 * One for all that is carried, and for all containers: Node.js copies each AsyncLocalStorage that was ever used to every new promise of
 * the process, some 70 ns each time, and never stops.
 */
const storage = new AsyncLocalStorage<Everything>();

/** A value that goes along with asynchronous work, as in an AsyncLocalStorage of its own. */
export class Carried<T> {
  readonly #key: symbol;

  /** `name`: for who looks at it in a debugger. */
  constructor(name: string) {
    this.#key = Symbol(name);
  }

  /** Of the work that is going on. */
  get value(): T | undefined {
    return storage.getStore()?.[this.#key] as T | undefined;
  }

  /** Runs `work`, which carries `value`. */
  run<R>(value: T, work: () => R): R {
    return storage.run({ ...storage.getStore(), [this.#key]: value }, work);
  }
}
