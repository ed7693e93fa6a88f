import type { Operations } from "../telemetry/operations.js";
import type { Database } from "./database.js";
import { createRepositories, REPOSITORIES, type Repositories, type RepositoryClasses } from "./index.js";

/** They ask the database nothing. */
const NO_OPERATIONS = new Set(["constructor", "calculateCapacity"]);

/** As `createRepositories`; each operation is named and traced, while anybody wants that. */
export function observedRepositories(operations: Operations): (database: Database) => Repositories {
  if (!operations.observed) return createRepositories;
  const rooms = Object.entries(REPOSITORIES).map(([room, Repository]) => [
    room,
    observedClass(room, Repository, operations),
  ]);
  const classes: RepositoryClasses = Object.fromEntries(rooms);
  return (database) => createRepositories(database, classes);
}

// biome-ignore lint/suspicious/noExplicitAny: what a class is extended from must take anything.
type Class = new (...args: any[]) => object;
type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** A class of its own, so that nothing is to be done for each transaction's repositories. */
function observedClass(room: string, Repository: Class, operations: Operations): Class {
  const Observed = class extends Repository {};
  for (const name of Object.getOwnPropertyNames(Repository.prototype)) {
    if (NO_OPERATIONS.has(name)) continue;
    const method: Method = Repository.prototype[name];
    const run = operations.named(room, name);
    const observed: Method = function (...args) {
      return run(() => method.apply(this, args));
    };
    Object.defineProperty(Observed.prototype, name, { value: observed });
  }
  return Observed;
}
