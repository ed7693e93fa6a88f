import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { PortTakenError } from "./errors.js";

/** A Redis Cluster node also listens on its port + 10000, before Redis 7 unavoidably. */
export const CLUSTER_BUS_OFFSET = 10_000;

/** Port and bus port both stay below Linux's ephemeral range (32768 and up), where outgoing connections take ports. */
const FIRST = 12_000;
const LAST = 22_000;
const ATTEMPTS = 5;

/** @returns different ports, free at this moment, each with its bus port */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST, LAST);
    if (!ports.includes(port) && (await isFree(port)) && (await isFree(port + CLUSTER_BUS_OFFSET))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Runs `start` with free ports, and again with others when another process was faster. */
export async function withFreePorts<T>(count: number, start: (ports: number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePorts(count));
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === ATTEMPTS) throw error;
    }
  }
}
