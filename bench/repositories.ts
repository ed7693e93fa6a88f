import { type MysqlServer, startMysqlServer } from "../src/testing/index.js";
import { compareCloseConsumers, compareCreateConsumers } from "./consumers.js";
import { compareDescribe, showLinearity } from "./describe.js";
import { type Ground, openGround } from "./ground.js";
import { compareAllocate, showScatteredRoom } from "./placement.js";
import { compareReads } from "./reads.js";
import { keep, machine } from "./results.js";
import { seedFleet } from "./seed.js";
import { step, tell } from "./steps.js";
import { type Line, tableOf } from "./table.js";

const FLEETS = [100, 1_000, 10_000] as const;
const BUFFER_POOL = "256M";

const grounds = new Map<number, Ground>();

/** Measures the hot operations against the plain driver and against today's statements, on a server of its own. */
export async function benchRepositories(): Promise<void> {
  const server = await startMysqlServer({
    args: [`--innodb-buffer-pool-size=${BUFFER_POOL}`, "--innodb-flush-method=fsync"],
  });
  try {
    const lines = await measureAll(server);
    const engine = server.version.includes("MariaDB") ? "MariaDB" : "MySQL";
    const version = `${engine} ${server.version.replace(/-.*/, "")} (buffer pool ${BUFFER_POOL}, every commit on disk)`;
    const section = [`## ${engine}`, "", machine(version), "", tableOf(lines), ""].join("\n");
    console.log(section);
    await keep("repositories", "The repositories against the plain driver", engine, section);
  } finally {
    for (const ground of grounds.values()) await ground.close();
    await server.stop();
  }
}

async function measureAll(server: MysqlServer): Promise<Line[]> {
  for (const nodes of FLEETS) {
    tell(`seeding ${nodes} nodes`);
    const ground = await openGround(server);
    grounds.set(nodes, ground);
    await seedFleet(ground.raw, nodes);
  }
  const small = grounds.get(FLEETS[0]) as Ground;
  const large = grounds.get(FLEETS[2]) as Ground;
  return [
    ...(await step("allocate", () => compareAllocate(grounds))),
    ...(await step("allocate in scattered room", () => showScatteredRoom(large, FLEETS[2]))),
    ...(await step("closeConsumers", () => compareCloseConsumers([...grounds.values()]))),
    ...(await step("createConsumers", () => compareCreateConsumers(small))),
    ...(await step("reads", () => compareReads(small))),
    ...(await step("describe", () => compareDescribe(small))),
    ...(await step("describe, growing", () => showLinearity(small))),
  ];
}
