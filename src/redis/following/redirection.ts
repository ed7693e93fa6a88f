import { parseAddress } from "./topology.js";

/** Where a node sends whoever asks it for a slot that it does not serve. */
export interface Redirection {
  /** `host:port`. */
  readonly address: string;
  /** The slot is on its way there: only this command, and only behind ASKING. */
  readonly asking: boolean;
}

/** Reads a MOVED or ASK reply of the node at `from`; undefined for any other. */
export function parseRedirection(reply: string, from: string): Redirection | undefined {
  const [, kind, target] = /^(MOVED|ASK) \d+ (\S+)/.exec(reply) ?? [];
  if (target === undefined) return undefined;
  // A server that does not know the other's name leaves it out: it is its own.
  const { host, port } = parseAddress(target, parseAddress(from).host);
  return { address: `${host}:${port}`, asking: kind === "ASK" };
}
