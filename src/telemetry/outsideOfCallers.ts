import { AsyncLocalStorage } from "node:async_hooks";

/** Runs what outlives the caller for whom it is begun, a connection or a timer: the caller's log fields and span are not its own. */
export const outsideOfCallers = AsyncLocalStorage.snapshot();
