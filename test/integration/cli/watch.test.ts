import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect } from "chai";
import { type RedisServer, startRedisCluster, startRedisServer } from "../../../src/testing/index.js";
import { Running } from "./running.js";
import { installPackage, startCommand, startOnTerminal } from "./servicePackage.js";

type Call = (command: string, ...args: (string | number)[]) => Promise<unknown>;

/** Appends a signal as other services write it. */
function publish(call: Call, meetingId: string, reason: string, recipients: string[] | null = null): Promise<unknown> {
  const type = "DoordarshanUserJoined";
  const json = { type, subType: type, version_id: 0, recipient_id: recipients, payload: { userJoinedReason: reason } };
  const fields = { name: type, signal: JSON.stringify(json), roomId: meetingId, participantId: "asha" };
  const rest = { messageType: "signalMessage", requestId: `asha-${reason.length}` };
  return call("XADD", `room-stream:${meetingId}`, "*", ...Object.entries({ ...fields, ...rest }).flat());
}

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");
const UNANNOUNCED =
  "warning: Redis does not announce new entries (its notify-keyspace-events lacks Kt), so signals may come a second late\n";

describe("doordarshan-data watch", function () {
  this.timeout(60_000);
  let server: RedisServer;
  const running: Running[] = [];

  before(async () => {
    await installPackage();
    server = await startRedisServer();
  });
  beforeEach(() => server.call("FLUSHALL"));
  afterEach(() => {
    for (const { child } of running.splice(0)) child.kill("SIGKILL");
  });
  after(() => server?.stop());

  /** With nothing in the environment that names MySQL. */
  const start = async (args: string[], environment: Record<string, string> = {}) => {
    const started = await startCommand({ ...server.environment, ...environment }, ["watch", ...args]);
    running.push(started);
    return started;
  };
  const follow = async (args: string[]) => {
    const started = await start(args);
    await started.saysOnStderr(/Following/);
    return started;
  };
  const on: Call = (...all) => server.call(...all);

  it("follows meetings, one line a signal, until Ctrl-C, and changes nothing on the server", async () => {
    await publish(on, "standup", "before");
    const watching = await follow(["standup", "retro"]);
    await publish(on, "standup", "first");
    await watching.saysOnStdout(/"first"/);
    await publish(on, "retro", "second", ["ravi"]);
    await watching.saysOnStdout(/"second"/);
    await server.call("XADD", "room-stream:retro", "*", "odd", "1");
    await watching.saysOnStdout(/odd/);
    watching.child.kill("SIGINT");
    const { exit, stdout, stderr } = await watching.outcome;
    expect(exit).to.equal(130);
    expect(stderr).to.equal(`${UNANNOUNCED}Following standup, retro; Ctrl-C ends it\n`);
    const at = String.raw`\d\d:\d\d:\d\d\.\d{3}Z`;
    const [first, second, third, ...more] = linesOf(stdout);
    expect(first).to.match(new RegExp(`^${at} standup DoordarshanUserJoined asha \\{"userJoinedReason":"first"\\}$`));
    expect(second).to.match(
      new RegExp(`^${at} retro DoordarshanUserJoined asha → ravi \\{"userJoinedReason":"second"\\}$`),
    );
    expect(third).to.match(new RegExp(`^${at} retro UNRECOGNISED messageType is not signalMessage: \\{"odd":"1"\\}$`));
    expect(more).to.deep.equal([]);
    expect(await server.call("CONFIG", "GET", "notify-keyspace-events")).to.deep.equal(["notify-keyspace-events", ""]);
    expect(await server.call("KEYS", "*")).to.have.members(["room-stream:standup", "room-stream:retro"]);
  });

  it("goes back to the start or an entry, for one participant, as JSON lines, until SIGTERM", async () => {
    const first = await publish(on, "standup", "everyone");
    await publish(on, "standup", "ravi's", ["ravi"]);
    await publish(on, "standup", "asha's", ["asha"]);
    const reasons = async (...args: string[]) => {
      const watching = await follow(["standup", "--json", ...args]);
      await watching.saysOnStdout(/asha's/);
      watching.child.kill("SIGTERM");
      const { exit, stdout, stderr } = await watching.outcome;
      expect(exit).to.equal(143);
      expect(linesOf(stderr).map((line) => JSON.parse(line).kind)).to.deep.equal(["warning", "following"]);
      return linesOf(stdout).map((line) => JSON.parse(line));
    };
    const all = await reasons("--from", "start");
    expect(all.map(({ payload }) => payload.userJoinedReason)).to.deep.equal(["everyone", "ravi's", "asha's"]);
    expect(all[0]).to.deep.equal({
      ...{ kind: "signal", type: "DoordarshanUserJoined", entryId: first, meetingId: "standup", senderId: "asha" },
      ...{ receiverIds: null, payload: { userJoinedReason: "everyone" }, requestId: "asha-8" },
    });
    const after = await reasons("--from", String(first));
    expect(after.map(({ payload }) => payload.userJoinedReason)).to.deep.equal(["ravi's", "asha's"]);
    const hers = await reasons("--from", "start", "--recipient", "asha");
    expect(hers.map(({ payload }) => payload.userJoinedReason)).to.deep.equal(["everyone", "asha's"]);
  });

  it("refuses what cannot be meant, with 2, before anything is sent", async () => {
    const refusals: readonly [string[], RegExp][] = [
      [[""], /^error: <meetingId> must not be empty\n$/],
      [["{m}"], /^error: <meetingId> must not contain braces/],
      [["m", "--from", "yesterday"], /^error: --from must be "now", "start" or an entry id such as "\d+-0"\n$/],
      [["m", "--from", "99999999999999999999-0"], /^error: --from must be/],
      [["m", "--recipient", ""], /^error: --recipient must not be empty\n$/],
      [[], /^error: missing required argument 'meetingId'\n/],
    ];
    for (const [args, message] of refusals) {
      const { exit, stdout, stderr } = await (await start(args, { REDIS_CLUSTER_ADDRESSES: "127.0.0.1:1" })).outcome;
      expect({ exit, stdout }).to.deep.equal({ exit: 2, stdout: "" });
      expect(stderr).to.match(message);
    }
    const unset = await (await startCommand({}, ["watch", "m"])).outcome;
    expect(unset).to.include({ exit: 2 });
    expect(unset.stderr).to.equal("error: Configuration is invalid:\n  REDIS_CLUSTER_ADDRESSES is required\n");
  });

  it("says with 5 why Redis cannot be used, without a secret or a stack; as JSON too", async () => {
    const down = await (await start(["m"], { REDIS_CLUSTER_ADDRESSES: "127.0.0.1:1" })).outcome;
    expect(down).to.include({ exit: 5, stdout: "" });
    expect(down.stderr).to.match(
      /^error: Redis at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*; check REDIS_CLUSTER_ADDRESSES.*\n$/,
    );
    const { environment, stop } = await startRedisServer({ users: ["default off", "app on >right ~* &* +@all"] });
    const wrong = { ...environment, REDIS_CLUSTER_USERNAME: "app", REDIS_CLUSTER_PASSWORD: "canary-4711" };
    const refused = await (await start(["m", "--json"], wrong)).outcome.finally(stop);
    expect(refused.exit).to.equal(5);
    expect(linesOf(refused.stdout)).to.have.length(1);
    expect(JSON.parse(refused.stdout).error).to.include({ code: "ErrPingingRedisCluster" });
    for (const output of [down, refused]) expect(JSON.stringify(output)).to.not.match(/canary|\s+at .*\.js/);
  });

  it("ends at once on Ctrl-C while a server that says nothing is waited for", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    try {
      const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const connected = once(silent, "connection");
      const watching = await start(["m"], { REDIS_CLUSTER_ADDRESSES: address });
      await connected;
      const began = performance.now();
      watching.child.kill("SIGINT");
      expect(await watching.outcome).to.deep.equal({ exit: 130, stdout: "", stderr: "" });
      // The limit on connecting is 10 s.
      expect(performance.now() - began).to.be.below(5_000);
    } finally {
      silent.close();
    }
  });

  it("says once that the server is lost and back; what is published when it is back follows", async () => {
    const watching = await follow(["standup", "retro", "planning"]);
    await publish(on, "standup", "before");
    await watching.saysOnStdout(/"before"/);
    await server.kill();
    try {
      // Refused by the system, or accepted by a proxy that hangs up.
      await watching.saysOnStderr(/not connected; trying again[^\n]*\n[^\n]*(ECONNREFUSED|ECONNRESET|EPIPE|closed)/);
    } finally {
      await server.restart();
    }
    await watching.saysOnStderr(/connected again/);
    await publish(on, "standup", "after");
    await watching.saysOnStdout(/"after"/);
    // What was trimmed is told apart from what was not.
    await server.call("DEL", "room-stream:standup");
    await publish(on, "standup", "anew");
    await watching.saysOnStdout(/"anew"/);
    watching.child.kill("SIGINT");
    const { exit, stdout, stderr } = await watching.outcome;
    expect(exit).to.equal(130);
    expect(stderr.match(/trying again/g)).to.have.length(1);
    expect(stderr.match(/connected again/g)).to.have.length(1);
    expect(linesOf(stdout).map((line) => /"before"|"after"|RESYNC|"anew"/.exec(line)?.[0])).to.deep.equal([
      '"before"',
      '"after"',
      "RESYNC",
      '"anew"',
    ]);
  });

  it("ends silently when whoever reads has gone", async () => {
    await publish(on, "standup", "first");
    const watch = "node_modules/.bin/doordarshan-data watch standup --from start";
    const script = `node ${watch} | { head -n 1; exec 0<&-; echo gone >&2; }; echo "exit \${PIPESTATUS[0]}" >&2`;
    const shell = new Running("bash", ["-c", script], { cwd: await installPackage(), env: server.environment });
    running.push(shell);
    await shell.saysOnStderr(/gone/);
    await publish(on, "standup", "second");
    const { stdout, stderr } = await shell.outcome;
    expect(linesOf(stdout)).to.have.length(1);
    expect(linesOf(stderr)).to.have.members([
      UNANNOUNCED.trim(),
      "Following standup; Ctrl-C ends it",
      "gone",
      "exit 0",
    ]);
  });

  it("ends on SIGTERM although whoever reads takes nothing", async () => {
    for (let n = 0; n < 50; n += 1) await publish(on, "standup", "x".repeat(50_000));
    const script =
      "exec 3< <(exec node node_modules/.bin/doordarshan-data watch standup --from start); pid=$!; head -c 10 <&3 >&2; " +
      'kill -TERM $pid; wait $pid; echo "exit $?"';
    const shell = new Running("bash", ["-c", script], { cwd: await installPackage(), env: server.environment });
    running.push(shell);
    expect((await shell.outcome).stdout).to.equal("exit 143\n");
  });

  it("on a terminal cuts lines to its width, and no signal can drive it", async () => {
    await publish(on, "standup", `\u001b[2J\u001b]0;title\u0007\u009b31m${"会".repeat(100)}`);
    const env = { ...server.environment, NO_COLOR: "1" };
    const size = { columns: 60, rows: 20 };
    const watching = await startOnTerminal(env, ["watch", "standup", "--from", "start"], size);
    running.push(watching);
    await watching.saysOnStdout(/DoordarshanUserJoined[^\n]*\n/);
    process.kill(Number(watching.stdout.match(/^pid (\d+)/)?.[1]), "SIGINT");
    const { exit, stdout } = await watching.outcome;
    expect(exit).to.equal(130);
    expect(stdout.replaceAll("\r\n", "\n")).to.not.match(/[^\P{Cc}\n]/u);
    const [line = ""] = linesOf(stdout).filter((each) => each.includes("DoordarshanUserJoined"));
    expect(line.trimEnd())
      .to.match(/^\S+ standup DoordarshanUserJoined asha .*…$/)
      .and.to.have.length(60);
  });

  it("on a terminal has colours", async () => {
    await publish(on, "standup", "joined");
    const watching = await startOnTerminal(server.environment, ["watch", "standup", "--from", "start"], {
      columns: 100,
      rows: 20,
    });
    running.push(watching);
    await watching.saysOnStdout(/\[36mDoordarshanUserJoined\S\[39m/);
  });

  it("follows meetings anywhere in a cluster", async () => {
    const cluster = await startRedisCluster();
    try {
      const watching = await startCommand(cluster.environment, ["watch", "a", "b", "c", "d"]);
      running.push(watching);
      await watching.saysOnStderr(/Following/);
      for (const meetingId of ["a", "b", "c", "d"]) {
        const { call } = await cluster.masterOf(`room-stream:${meetingId}`);
        await publish(call, meetingId, `in ${meetingId}`);
        await watching.saysOnStdout(new RegExp(`"in ${meetingId}"`));
      }
      watching.child.kill("SIGINT");
      expect((await watching.outcome).exit).to.equal(130);
    } finally {
      await cluster.stop();
    }
  });

  it("explains itself, with examples", async () => {
    const { exit, stdout } = await (await start(["--help"])).outcome;
    expect(exit).to.equal(0);
    for (const part of ["--from", "--recipient", "--json", "Examples:", "130"]) expect(stdout).to.include(part);
  });
});
