/** `npm run demo`: boots the container on real servers and tells one meeting's life. Exit code 0 when all of it worked. */
import { loadConfig, loadDotenv } from "../config/index.js";
import { createContainer } from "../container/container.js";
import { createLogger } from "../telemetry/logger.js";
import { createDatabase, startServices } from "../testing/index.js";
import { MeetingLife } from "./meetingLife.js";
import { createStory, type Story } from "./story.js";

async function demo(story: Story): Promise<void> {
  story.title("Doordarshan: one meeting's life on real servers");
  story.step("Servers are found or started");
  const services = await startServices({ onProgress: story.progress });
  try {
    await onDatabase(services.environment, story);
    story.step("The servers are stopped");
  } finally {
    await services.stop();
  }
}

/** In a database of its own, so that nobody's data is touched where the environment names the servers. */
async function onDatabase(environment: Record<string, string>, story: Story): Promise<void> {
  const database = await createDatabase(environment);
  try {
    await onContainer(database.environment, story);
  } finally {
    await database.drop();
  }
}

async function onContainer(environment: Record<string, string>, story: Story): Promise<void> {
  const container = createContainer(loadConfig(environment), {
    migrations: "run",
    logger: createLogger({ level: "warn" }),
  });
  story.step("The container boots: MySQL, schema, Redis");
  await container.start();
  try {
    const { mysql, redis } = await container.health();
    story.done(`ready; MySQL answers in ${mysql.latencyMs} ms, Redis in ${redis.latencyMs} ms`);
    await new MeetingLife(container, story, `demo-${Date.now()}`).tell();
  } finally {
    story.step("Everything shuts down");
    await container.stop();
    story.done("the container is stopped");
  }
}

loadDotenv();
const story = createStory((line) => process.stdout.write(`${line}\n`));
try {
  await demo(story);
  story.title("Done.");
} catch (error) {
  story.failed(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
