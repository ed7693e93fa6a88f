import { Cluster, type Command, type Redis } from "ioredis";
import { Batch, BatchedCommand, type BatchOptions, type Write } from "./batch.js";
import type { Driver } from "./connection.js";
import type { Ground } from "./operation.js";

/**
 * Makes batches of one command's writes, in their order and one for each node, and takes their places. What is left to be sent `alone`:
 * writes whose node is not connected, and all from the first on for which there is no place now.
 */
export function batchesOf<W extends Write>(
  ground: Ground,
  name: string,
  writes: readonly W[],
  options: BatchOptions<W>,
): { readonly batches: Iterable<Batch<W>>; readonly alone: readonly W[] } {
  const batches = new Map<Redis, Batch<W>>();
  const alone: W[] = [];
  const nodeOf = nodesOf(ground.driver);
  let places = !options.signal?.aborted;
  for (const write of writes) {
    const command = new BatchedCommand(name, write);
    const node = places ? nodeOf(command) : undefined;
    if (node) places = ground.limiter.tryEnter(command.weight);
    if (node && places) {
      const batch = batches.get(node) ?? new Batch(ground, node, options);
      batches.set(node, batch);
      batch.add(command);
    } else alone.push(write);
  }
  return { batches: batches.values(), alone };
}

/** Tells the connected node that has a command's key, as far as it is known. */
function nodesOf(driver: Driver): (command: Command) => Redis | undefined {
  if (!(driver instanceof Cluster)) return () => (isConnected(driver) ? driver : undefined);
  if (driver.status !== "ready") return () => undefined;
  const nodes = new Map(driver.nodes().map((node) => [`${node.options.host}:${node.options.port}`, node]));
  return (command) => {
    const node = nodes.get(driver.slots[command.getSlot()]?.[0] ?? "");
    return node && isConnected(node) ? node : undefined;
  };
}

/** Whether what is sent is written at once, instead of being kept by ioredis for later. */
function isConnected({ status, stream }: Redis): boolean {
  return status === "ready" && stream?.writable;
}
