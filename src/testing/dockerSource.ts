import { DockerPlace } from "./dockerPlace.js";
import { ServicesUnavailableError } from "./errors.js";
import type { Source } from "./place.js";
import type { Search } from "./sources.js";

type Testcontainers = typeof import("testcontainers");

const DEFAULT_IMAGES = { mysql: "mysql:8.4", redis: "redis:8" } as const;
const IMAGE_VARIABLES = { mysql: "DOORDARSHAN_TEST_MYSQL_IMAGE", redis: "DOORDARSHAN_TEST_REDIS_IMAGE" } as const;
const ENGINE_ANSWERS_WITHIN_MS = 5_000;
const PULLED_WITHIN_MS = 300_000;

/**
 * The route through a Docker engine, or why it is closed.
 * @throws ServicesUnavailableError when the environment names an image and it cannot be had
 */
export async function dockerSource({ store, progress, closed }: Search): Promise<Source | undefined> {
  const named = process.env[IMAGE_VARIABLES[store]];
  const image = named || DEFAULT_IMAGES[store];
  try {
    const testcontainers = await reachEngine();
    await provide(testcontainers, image, progress);
    const open = (ports: readonly number[]) => DockerPlace.open(testcontainers, image, ports);
    return { label: `Docker image ${image}`, sharesFiles: false, open };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (named) throw new ServicesUnavailableError(`${IMAGE_VARIABLES[store]} names ${image}, but: ${reason}`);
    closed(`Docker (${image}): ${reason}`);
    return undefined;
  }
}

/** Asks the engine. testcontainers is an optional dependency of this package's users. */
async function reachEngine(): Promise<Testcontainers> {
  const testcontainers = await import("testcontainers").catch(() => {
    throw new Error("the package testcontainers is not installed");
  });
  const { info } = await within(ENGINE_ANSWERS_WITHIN_MS, "no engine answers", async () => {
    try {
      return await testcontainers.getContainerRuntimeClient();
    } catch {
      throw new Error("no engine answers");
    }
  });
  const { host } = info.containerRuntime;
  if (!["localhost", "127.0.0.1", "::1"].includes(host))
    throw new Error(`the Docker engine is on another machine (${host}), where loopback ports are out of reach`);
  return testcontainers;
}

async function provide(testcontainers: Testcontainers, image: string, progress: Search["progress"]): Promise<void> {
  const { image: images } = await testcontainers.getContainerRuntimeClient();
  const name = testcontainers.ImageName.fromString(image);
  if (await images.exists(name)) return;
  progress(`pulling Docker image ${image}`);
  await within(PULLED_WITHIN_MS, "it could not be pulled in 5 minutes", () => images.pull(name));
  if (!(await images.exists(name))) throw new Error("it could not be pulled");
}

async function within<T>(timeoutMs: number, message: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  });
  return Promise.race([work(), timeout]).finally(() => clearTimeout(timer));
}
