import { createDatabase, type TestDatabase } from "./database.js";
import { CONNECTION_VARIABLES, type Services, startServices } from "./services.js";

/** What of mocha's objects is used here; mocha's own types would become a dependency of this package's users. */
interface Suite {
  readonly file?: string;
  readonly suites: readonly Suite[];
  readonly tests: readonly { readonly file?: string }[];
  beforeAll(title: string, hook: (this: Context) => Promise<void>): unknown;
  /** Not public in mocha, which offers no other way to put a hook in front of those that stand already. */
  readonly _beforeAll: unknown[];
}

interface Context {
  readonly test?: { readonly parent?: Suite };
  timeout(ms: number): unknown;
}

const HOOK_TIMEOUT_MS = 60_000;

let services: Services | undefined;

/** Starts the servers once for the whole run; with `--parallel` in the parent process, before the workers inherit its environment. */
export async function mochaGlobalSetup(): Promise<void> {
  const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
  services = await startServices({ onProgress });
  // What is left of another server's credentials must not be tried on these.
  for (const name of Object.values(CONNECTION_VARIABLES).flat()) delete process.env[name];
  Object.assign(process.env, services.environment);
}

export async function mochaGlobalTeardown(): Promise<void> {
  await services?.stop();
}

/** Gives each test file a freshly migrated database, named by `process.env`, and drops it when the next file begins or the run ends. */
export const mochaHooks = {
  async beforeAll(this: Context): Promise<void> {
    this.timeout(HOOK_TIMEOUT_MS);
    const root = this.test?.parent;
    // One process runs all files as one suite (a worker: one file), so the hook is put in front of each file's own.
    for (const suite of root?.suites ?? []) putInFront(suite);
    if (root?.tests.length) await databases.enter(root.tests[0]?.file);
  },
  async afterAll(this: Context): Promise<void> {
    this.timeout(HOOK_TIMEOUT_MS);
    await databases.leave();
  },
};

function putInFront(suite: Suite): void {
  suite.beforeAll("database of this file", async function () {
    this.timeout(HOOK_TIMEOUT_MS);
    await databases.enter(suite.file);
  });
  suite._beforeAll.unshift(suite._beforeAll.pop());
}

/** The database of the file that runs at this moment. */
class CurrentDatabase {
  #file: string | undefined;
  #database: TestDatabase | undefined;
  /** As it was before the first file; databases are created from there. */
  #environment: NodeJS.ProcessEnv | undefined;

  async enter(file: string | undefined): Promise<void> {
    if (this.#database && file === this.#file) return;
    await this.leave();
    this.#environment ??= { ...process.env };
    this.#database = await createDatabase(this.#environment);
    this.#file = file;
    Object.assign(process.env, this.#database.environment);
  }

  async leave(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await database?.drop();
  }
}

const databases = new CurrentDatabase();
