/** A process of its own, so that publishing does not slow down what is measured: publishes at a rate, on request of its parent. */
import { Cluster, Redis } from "ioredis";

export interface PublishRequest {
  readonly meetings: number;
  readonly perSecond: number;
  readonly seconds: number;
}

const TICK_MS = 1;
const SIGNAL = {
  type: "DoordarshanUserJoined",
  subType: "DoordarshanUserJoined",
  version_id: 0,
  recipient_id: null,
  payload: { userJoinedReason: "joined" },
};
/** As every service writes them; `roomId` and `requestId` are added. */
const FIELDS = [
  ["name", SIGNAL.type],
  ["signal", JSON.stringify(SIGNAL)],
  ["participantId", "participant-1"],
  ["messageType", "signalMessage"],
].flat();

const { mode, addresses } = JSON.parse(process.argv[2] ?? "{}") as {
  mode: "single" | "cluster";
  addresses: { host: string; port: number }[];
};
const options = { enableAutoPipelining: true } as const;
const redis = mode === "single" ? new Redis({ ...addresses[0], ...options }) : new Cluster(addresses, options);

process.on("message", async (request: PublishRequest) => process.send?.(await publish(request)));
process.on("disconnect", () => process.exit());
redis.on("ready", () => process.send?.("ready"));

async function publish({ meetings, perSecond, seconds }: PublishRequest): Promise<number> {
  const began = performance.now();
  const total = perSecond * seconds;
  const replies: Promise<unknown>[] = [];
  let sent = 0;
  while (sent < total) {
    const due = Math.min(total, ((performance.now() - began) / 1e3) * perSecond);
    for (; sent < due; sent += 1) replies.push(publishOne(`m${Math.floor(Math.random() * meetings)}`));
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(replies);
  return total;
}

/** The clock of `process.hrtime` is the same in every process of the machine. */
function publishOne(meetingId: string): Promise<unknown> {
  const stream = `room-stream:${meetingId}`;
  const entry = ["roomId", meetingId, ...FIELDS, "requestId", String(process.hrtime.bigint())];
  return redis.xadd(stream, "MAXLEN", "~", 10_000, "*", ...entry);
}
