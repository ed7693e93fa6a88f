import type { RedisConfig } from "../../../src/config/types.js";
import { startRedisCluster, startRedisServer } from "../../../src/testing/index.js";

/** A server of either mode. */
export interface RedisTarget {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Sends a command to the node that owns the key, its first argument. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** Sends a command to the node that owns `key`. */
  callAt(key: string, command: string, ...args: (string | number)[]): Promise<unknown>;
  /** Sends a command to each node. */
  callAll(command: string, ...args: (string | number)[]): Promise<unknown[]>;
  stop(): Promise<void>;
}

export async function startRedisTarget(mode: RedisConfig["mode"]): Promise<RedisTarget> {
  if (mode === "single") {
    const server = await startRedisServer();
    const callAt = (_: string, command: string, ...args: (string | number)[]) => server.call(command, ...args);
    return { addresses: [server], callAt, callAll: async (...all) => [await server.call(...all)], ...server };
  }
  const cluster = await startRedisCluster();
  const callAt: RedisTarget["callAt"] = async (key, ...all) => (await cluster.masterOf(key)).call(...all);
  return {
    addresses: cluster.nodes,
    call: (command, ...args) => callAt(String(args[0]), command, ...args),
    callAt,
    callAll: (...all) => Promise.all(cluster.nodes.map((node) => node.call(...all))),
    stop: cluster.stop,
  };
}
