import { compareFollowing } from "./follow.js";
import { comparePublishing, showMemory } from "./publish.js";
import { redisVersion } from "./publishGround.js";
import { keep, machine } from "./results.js";
import { step } from "./steps.js";
import { tableOf } from "./table.js";

/** Measures publishing and following against the plain driver. */
export async function benchSignals(): Promise<void> {
  const lines = [
    ...(await step("publishing to one server", () => comparePublishing("single"))),
    ...(await step("publishing to a cluster", () => comparePublishing("cluster"))),
    ...(await step("memory while Redis is down", showMemory)),
    ...(await step("following", compareFollowing)),
  ];
  const version = await redisVersion();
  const name = `Redis ${version.split(".").slice(0, 2).join(".")}`;
  const section = [`## ${name}`, "", machine(`Redis ${version}`), "", tableOf(lines), ""].join("\n");
  console.log(section);
  await keep("signals", "Signals against the plain driver", name, section);
}
