/**
 * Measures the hot operations against the plain driver and against today's statements, on a server of its own, and prints
 * ratios measured in one run. What it prints goes to bench/results/repositories.md too, under the engine's name.
 */
import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { startMysqlServer } from "../src/testing/index.js";
import { compareCloseConsumers, compareCreateConsumers } from "./consumers.js";
import { compareDescribe, showLinearity } from "./describe.js";
import { type Ground, openGround } from "./ground.js";
import { compareAllocate, showScatteredRoom } from "./placement.js";
import { compareReads } from "./reads.js";
import { seedFleet } from "./seed.js";
import { type Line, tableOf } from "./table.js";

const RESULTS = new URL("results/repositories.md", import.meta.url);
const FLEETS = [100, 1_000, 10_000] as const;
const BUFFER_POOL = "256M";

const began = performance.now();
const server = await startMysqlServer({ args: [`--innodb-buffer-pool-size=${BUFFER_POOL}`] });
const grounds = new Map<number, Ground>();
try {
  const lines = await measureAll();
  const engine = server.version.includes("MariaDB") ? "MariaDB" : "MySQL";
  const section = [
    `## ${engine}`,
    "",
    `${new Date().toISOString().slice(0, 10)}, ${engine} ${server.version.replace(/-.*/, "")} (buffer pool ${BUFFER_POOL}, ` +
      `every commit on disk), Node.js ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), loopback.`,
    "",
    tableOf(lines),
    "",
  ].join("\n");
  console.log(section);
  await keep(engine, section);
} finally {
  for (const ground of grounds.values()) await ground.close();
  await server.stop();
}

async function measureAll(): Promise<Line[]> {
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

async function step(name: string, measure: () => Promise<Line[]>): Promise<Line[]> {
  tell(`measuring ${name}`);
  return measure();
}

function tell(what: string): void {
  console.error(`${((performance.now() - began) / 1e3).toFixed(0).padStart(4)} s  ${what}`);
}

/** Puts the section in the place of the same engine's. */
async function keep(engine: string, section: string): Promise<void> {
  const known = await readFile(RESULTS, "utf8").catch(() => "");
  const others = known
    .split(/^(?=## )/m)
    .filter((part) => part.startsWith("## ") && !part.startsWith(`## ${engine}\n`));
  const head = "# The repositories against the plain driver\n\nWritten by `npm run bench`; ratios of one run each.\n";
  await writeFile(RESULTS, [head, ...[...others, section].sort().map((part) => part.trim())].join("\n").concat("\n"));
}
