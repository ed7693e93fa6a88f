import { isIP } from "node:net";

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const hostName = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;

/** Whether `text` is an IP address (IPv6 without brackets) or can be a host's name. `127.0.0.300` is neither. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return text.length <= 253 && hostName.test(text) && !/(^|\.)\d+\.?$/.test(text);
}

/** The port `text` writes in decimal digits, 1 to 65535. */
export function parsePort(text: string): number | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

/**
 * Splits `host:port` and `[v6]:port`, as Go's net.SplitHostPort does; neither part is looked at.
 * Undefined where Go reports an error: no port, or an IPv6 address without brackets.
 */
export function splitHostPort(text: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([^[\]]*)\]|([^[\]:]*)):([^[\]:]*)$/.exec(text);
  return match ? { host: match[1] ?? match[2] ?? "", port: match[3] ?? "" } : undefined;
}

/** `host:port` or `[v6]:port`, both parts present and valid. */
export function parseHostAndPort(text: string): HostAndPort | undefined {
  const split = splitHostPort(text);
  const port = split && parsePort(split.port);
  if (!split || !port || !isHost(split.host)) return undefined;
  return text.startsWith("[") === (isIP(split.host) === 6) ? { host: split.host, port } : undefined;
}
