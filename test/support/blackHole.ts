import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

export interface BlackHole {
  readonly port: number;
  stop(): void;
}

const LISTEN =
  "const s = require('node:net').createServer(); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))";
/** More than the backlog holds. */
const FILLERS = 16;

/** A loopback port that drops what would connect, as a firewall does: it belongs to a stopped process whose backlog is full. */
export async function startBlackHole(): Promise<BlackHole> {
  const child = spawn(process.execPath, ["-e", LISTEN], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(printed.toString());
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: FILLERS }, () => connect(port, "127.0.0.1").on("error", () => undefined));
  await Promise.race(fillers.map((filler) => once(filler, "connect")));
  const stop = () => {
    for (const filler of fillers) filler.destroy();
    child.kill("SIGKILL");
  };
  return { port, stop };
}
