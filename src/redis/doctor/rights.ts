import { randomBytes } from "node:crypto";

/** A command that changes nothing wherever it is let through, and so shows whether it is. */
export interface Probe {
  /** As ACL rules name it, such as `xinfo|stream`. */
  readonly command: string;
  /** The name in lower case, by which ioredis knows commands that change the connection. */
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
  /** Whether connections are given a name. */
  readonly named: boolean;
}

/**
 * Everything that is sent to a server in normal operation, by purpose; the commands of docs/signals.md and the README. No key of
 * these names exists, so reads find nothing and writes have nothing to write to; HSET, which would create its key, lacks a value.
 */
export function purposes({ cluster, major, named }: Circumstances): readonly Purpose[] {
  const id = `doordarshan-doctor-${randomBytes(8).toString("hex")}`;
  const stream = `room-stream:${id}`;
  const [beside, other] = [`{${stream}}:requests`, `{${stream}}:requests:earlier`];
  const onStream = (name: string, ...args: string[]) => probe([name, stream, ...args], "~room-stream:*");
  const onBeside = (name: string, ...args: string[]) => probe([name, beside, ...args], "~{room-stream:*");
  const sharded = cluster && major >= 7;
  return [
    needed("connecting", probe(["ping"]), probe(["info", "server"])),
    ...(cluster ? [needed("following the cluster", ...CLUSTER)] : []),
    needed("publishing", onStream("xadd", "NOMKSTREAM", "*", "f", "v"), onStream("pexpire", "1")),
    needed("reading", onStream("xrange", "-", "+", "COUNT", "1")),
    optional("subscribe", inside("xinfo", "STREAM", stream), probe(["subscribe", `__keyspace@0__:${stream}`])),
    optional("consume", ...consuming(stream), ...SCRIPTS),
    optional("idempotent publishing", ...SCRIPTS, ...remembering(onBeside, other)),
    optional("signals.close", onStream("unlink")),
    ...(named ? [optional("the name in CLIENT LIST", inside("client", "SETNAME", "doordarshan-doctor"))] : []),
    optional("publish and subscribe of channels", ...channels(id, sharded)),
  ];
}

const needed = (name: string, ...probes: Probe[]): Purpose => ({ name, verdict: "failed", probes });
const optional = (name: string, ...probes: Probe[]): Purpose => ({ name, verdict: "warning", probes });

function probe(send: Probe["send"], keys?: Probe["keys"]): Probe {
  return { command: send[0], send, ...(keys && { keys }) };
}

/** A command with a subcommand, which ACL rules can name by itself; with a key, if any, behind that. */
function inside(name: string, subcommand: string, ...args: string[]): Probe {
  const keys = args.length > 0 ? "~room-stream:*" : undefined;
  return { ...probe([name, subcommand, ...args], keys), command: `${name}|${subcommand.toLowerCase()}` };
}

const CLUSTER = [inside("cluster", "SLOTS"), inside("cluster", "INFO"), probe(["readonly"]), probe(["asking"])];
const SCRIPTS = [probe(["eval", "return 1", "0"]), probe(["evalsha", "0".repeat(40), "0"])];

function consuming(stream: string): readonly Probe[] {
  const on = (name: string, ...args: string[]) => probe([name, stream, ...args], "~room-stream:*");
  return [
    probe(["xreadgroup", "GROUP", "g", "c", "COUNT", "1", "STREAMS", stream, ">"], "~room-stream:*"),
    on("xack", "g", "0-1"),
    on("xpending", "g"),
    on("xautoclaim", "g", "c", "0", "0-0"),
    on("xclaim", "g", "c", "0", "0-1"),
    inside("xgroup", "CREATE", stream, "g", "0"),
    inside("xinfo", "GROUPS", stream),
  ];
}

function remembering(onBeside: (name: string, ...args: string[]) => Probe, other: string): readonly Probe[] {
  return [
    onBeside("exists"),
    onBeside("hget", "f"),
    onBeside("hset", "f", "v", "no value"),
    onBeside("hlen"),
    onBeside("rename", other),
    onBeside("pexpire", "1"),
  ];
}

/** The message is empty, and the channel one that nobody knows. */
function channels(channel: string, sharded: boolean): readonly Probe[] {
  const names = sharded ? ["subscribe", "unsubscribe", "ssubscribe", "sunsubscribe"] : ["subscribe", "unsubscribe"];
  const publish = probe([sharded ? "spublish" : "publish", channel, ""]);
  return [publish, ...names.map((name) => probe([name, channel]))];
}
