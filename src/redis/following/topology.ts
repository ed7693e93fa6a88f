import { Cluster, Command, type RedisOptions } from "ioredis";
import type { Driver, NodeAddress } from "../connection.js";

/** Where streams live, as far as the client knows. */
export interface Topology {
  /** A stream's hash slot; 0 where there is only one node. */
  slotOf(stream: string): number;
  /** The slot's master as `host:port`; undefined while the slot table lacks it. */
  ownerOf(slot: number): string | undefined;
  /** Asks the servers anew; `onChange` hears of it. */
  refresh(): void;
  /** Calls `listener` each time the slot table was read, until the function returned is called. */
  onChange(listener: () => void): () => void;
}

/** Of the commands' own driver, which reads the slot table every two seconds and when it is redirected. */
export function createTopology(driver: Driver): Topology {
  return driver instanceof Cluster ? clusterTopology(driver) : singleTopology(driver.options);
}

function singleTopology({ host, port }: RedisOptions): Topology {
  const address = `${host}:${port}`;
  return { slotOf: () => 0, ownerOf: () => address, refresh: () => undefined, onChange: () => () => undefined };
}

function clusterTopology(cluster: Cluster): Topology {
  return {
    slotOf: (stream) => new Command("XRANGE", [stream]).getSlot(),
    ownerOf: (slot) => cluster.slots[slot]?.[0],
    refresh: () => {
      if (cluster.status === "ready") cluster.refreshSlotsCache();
    },
    onChange: (listener) => {
      cluster.on("refresh", listener);
      return () => cluster.off("refresh", listener);
    },
  };
}

/** Reads `host:port`; `fallbackHost` is for a server that leaves its own name out, as Redis does when it does not know it. */
export function parseAddress(address: string, fallbackHost = ""): NodeAddress {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon) || fallbackHost, port: Number(address.slice(colon + 1)) };
}
