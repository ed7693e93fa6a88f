import { randomBytes } from "node:crypto";

/** A command that changes nothing wherever it is let through, and so shows whether it is. */
export interface Probe {
  /** As ACL rules name it, such as `xinfo|stream`. */
  readonly command: string;
  readonly send: readonly [name: string, ...args: string[]];
  /** Which keys of ours it is about. */
  readonly keys?: "~room-stream:*" | "~{room-stream:*";
}

/** What the user has to be allowed to for one of the things this package does. */
export interface Purpose {
  readonly name: string;
  /** What is missing without it: everything, or this alone. */
  readonly verdict: "failed" | "warning";
  readonly probes: readonly Probe[];
}

interface Circumstances {
  readonly cluster: boolean;
  /** Of the server's version; sharded pub/sub came with 7. */
  readonly major: number;
}

/**
 * Everything that is sent to a server in normal operation, by purpose; the commands of docs/signals.md and the README. No key of
 * these names exists, so reads find nothing and writes have nothing to write to; HSET, which would create its key, lacks a value.
 * SUBSCRIBE and its kin come last: they change what the connection may do.
 */
export function purposes({ cluster, major }: Circumstances): readonly Purpose[] {
  const id = `doordarshan-doctor-${randomBytes(8).toString("hex")}`;
  const stream = `room-stream:${id}`;
  const [beside, other] = [`{${stream}}:requests`, `{${stream}}:requests:earlier`];
  const onStream = (name: string, ...args: string[]) => probe([name, stream, ...args], "~room-stream:*");
  const onBeside = (name: string, ...args: string[]) => probe([name, beside, ...args], "~{room-stream:*");
  const sharded = cluster && major >= 7;
  return [
    needed("connecting", probe(["PING"]), probe(["INFO", "server"])),
    ...(cluster ? [needed("following the cluster", ...CLUSTER)] : []),
    needed("publishing", onStream("XADD", "NOMKSTREAM", "*", "f", "v"), onStream("PEXPIRE", "1")),
    needed("reading", onStream("XRANGE", "-", "+", "COUNT", "1")),
    optional("subscribe", inside("XINFO", "STREAM", stream), subscribing("SUBSCRIBE", `__keyspace@0__:${stream}`)),
    optional("consume", ...consuming(stream), ...SCRIPTS),
    optional("idempotent publishing", ...SCRIPTS, ...remembering(onBeside, other)),
    optional("signals.close", onStream("UNLINK")),
    optional("publish and subscribe of channels", ...channels(id, sharded)),
  ];
}

const needed = (name: string, ...probes: Probe[]): Purpose => ({ name, verdict: "failed", probes });
const optional = (name: string, ...probes: Probe[]): Purpose => ({ name, verdict: "warning", probes });

function probe(send: Probe["send"], keys?: Probe["keys"]): Probe {
  return { command: send[0].toLowerCase(), send, ...(keys && { keys }) };
}

/** A command with a subcommand, which ACL rules can name by itself; with a key, if any, behind that. */
function inside(name: string, subcommand: string, ...args: string[]): Probe {
  const keys = args.length > 0 ? "~room-stream:*" : undefined;
  return { ...probe([name, subcommand, ...args], keys), command: `${name}|${subcommand}`.toLowerCase() };
}

/** Lower case, by which ioredis knows that the connection changes. */
function subscribing(name: string, channel: string): Probe {
  return probe([name.toLowerCase(), channel]);
}

const CLUSTER = [inside("CLUSTER", "SLOTS"), inside("CLUSTER", "INFO"), probe(["READONLY"]), probe(["ASKING"])];
const SCRIPTS = [probe(["EVAL", "return 1", "0"]), probe(["EVALSHA", "0".repeat(40), "0"])];

function consuming(stream: string): readonly Probe[] {
  const on = (name: string, ...args: string[]) => probe([name, stream, ...args], "~room-stream:*");
  return [
    { ...probe(["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", stream, ">"], "~room-stream:*") },
    on("XACK", "g", "0-1"),
    on("XPENDING", "g"),
    on("XAUTOCLAIM", "g", "c", "0", "0-0"),
    on("XCLAIM", "g", "c", "0", "0-1"),
    inside("XGROUP", "CREATE", stream, "g", "0"),
    inside("XINFO", "GROUPS", stream),
  ];
}

function remembering(onBeside: (name: string, ...args: string[]) => Probe, other: string): readonly Probe[] {
  return [
    onBeside("EXISTS"),
    onBeside("HGET", "f"),
    onBeside("HSET", "f", "v", "no value"),
    onBeside("HLEN"),
    onBeside("RENAME", other),
    onBeside("PEXPIRE", "1"),
  ];
}

/** The message is empty, and the channel one that nobody knows. */
function channels(channel: string, sharded: boolean): readonly Probe[] {
  const names = sharded ? ["SUBSCRIBE", "UNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE"] : ["SUBSCRIBE", "UNSUBSCRIBE"];
  const publish = probe([sharded ? "SPUBLISH" : "PUBLISH", channel, ""]);
  return [publish, ...names.map((name) => subscribing(name, channel))];
}
