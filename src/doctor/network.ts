import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { withDeadline } from "../deadline.js";
import { DataError, DeadlineExceededError } from "../errors.js";
import type { Finding } from "./check.js";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export type Address = Place | { readonly socketPath: string };

/** `host:port`, `[v6]:port` or the path. */
export function placeText(address: Address): string {
  if ("socketPath" in address) return address.socketPath;
  return `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`;
}

/** How long to wait for one answer; shorter than the check's own time, so that silence is told as what it is. */
export interface Patience {
  readonly signal: AbortSignal;
  readonly patienceMs: number;
}

/** Whether the host's name has an address. @param variable where the name is configured, for the advice */
export async function checkName(host: string, variable: string, patience: Patience, find = lookup): Promise<Finding> {
  if (isIP(host) !== 0) return { verdict: "ok", saw: `${host} is an address; there is no name to look up` };
  try {
    const found = await inTime(patience, () => find(host, { all: true }));
    return { verdict: "ok", saw: `${host} is ${found.map(({ address }) => address).join(", ")}` };
  } catch (error) {
    const code = codeOf(error);
    const advice =
      code === "ENOTFOUND"
        ? `Check the host name in ${variable}, and that this machine asks the name server that knows it`
        : `Check this machine's name server (/etc/resolv.conf): it gave no answer to the name in ${variable}`;
    return { verdict: "failed", saw: `${host} cannot be resolved (${code})`, advice };
  }
}

/** Whether something accepts connections there. */
export async function checkTcp(address: Address, patience: Patience): Promise<Finding> {
  const began = performance.now();
  try {
    const socket = await inTime(patience, (signal) => openSocket(address, signal));
    socket.destroy();
    return { verdict: "ok", saw: `${placeText(address)} accepts connections (${elapsed(began)} ms)` };
  } catch (error) {
    const code = codeOf(error);
    return {
      verdict: "failed",
      saw: `${placeText(address)} cannot be connected to (${code})`,
      advice: tcpAdvice(code),
    };
  }
}

function inTime<T>({ signal, patienceMs }: Patience, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const overdue = () => new DeadlineExceededError(`There was no answer within ${patienceMs} ms`);
  return withDeadline({ timeoutMs: patienceMs, signal, overdue }, (deadline) => deadline.race(work(deadline.signal)));
}

/** The system's; our own errors say only that nobody waits any more. */
function codeOf(error: unknown): string {
  return (!(error instanceof DataError) && (error as NodeJS.ErrnoException).code) || "no answer";
}

/** A connected socket; destroyed when `signal` fires. @throws what the system says, such as ECONNREFUSED */
export function openSocket(address: Address, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = "socketPath" in address ? connect(address.socketPath) : connect(address.port, address.host);
    const onAbort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => signal.removeEventListener("abort", onAbort));
    socket.once("error", (error) => reject(firstOf(error)));
    socket.once("connect", () => resolve(socket));
    if (signal.aborted) onAbort();
  });
}

/** A name with several addresses fails with all of their errors at once. */
function firstOf(error: Error): Error {
  return error instanceof AggregateError ? (error.errors[0] as Error) : error;
}

function tcpAdvice(code: string): string {
  if (code === "ECONNREFUSED") return "Nothing listens there: start the server, or correct address and port";
  if (code === "ENOENT" || code === "EACCES")
    return "Check the socket's path, that the server runs, and that this user may use the socket";
  return "No answer comes from there: check address, firewall, security group and routes";
}

function elapsed(began: number): number {
  return Math.round(performance.now() - began);
}
