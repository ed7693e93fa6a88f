import { type Environment, loadRedisConfig, type RedisOnlyConfig, readCredentials } from "../../config/index.js";
import { CHECK_TIMEOUT_MS, type Patient } from "../../doctor/runner.js";
import { RedisCommandError } from "../../errors.js";
import { NO_INSTRUMENTS } from "../../telemetry/instruments.js";
import type { Logger } from "../../telemetry/logger.js";
import { createDriverFactory, type DriverFactory, type NodeAddress } from "../connection.js";
import { type SlotRange, slotTable } from "./clusterView.js";
import { type Sample, sampleStreams } from "./sample.js";
import { adviceOn, nameOf, Server } from "./server.js";

/** A server that was tried: `server` where it let us in, else why not. */
export interface Visit {
  readonly address: NodeAddress;
  readonly name: string;
  /** Whether the configuration names it; others are announced by the cluster. */
  readonly configured: boolean;
  /** Whether the cluster announces it as a replica only. */
  readonly isReplica: boolean;
  readonly server?: Server;
  readonly error?: RedisCommandError;
}

type Place = Pick<Visit, "address" | "configured" | "isReplica">;

export interface RedisPatientOptions {
  /** Default: the process's. */
  readonly environment?: Environment;
  /** Of each check, in milliseconds; an answer of a server is waited for a quarter of it. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A question to a server is one of at most four that a check asks one after the other. */
const SHARE_OF_PATIENCE = 4;
/** A cluster may have a thousand nodes: so many are connected to at once, and so many of those that are announced are looked at. */
const AT_ONCE = 64;
const MAX_ANNOUNCED = 3 * AT_ONCE;
const QUIET: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Redis as the environment names it. Variables are read, and connections opened, when they are first needed, each once. */
export class RedisPatient implements Patient {
  readonly patienceMs: number;
  readonly #environment: Environment | undefined;
  readonly #opened: Server[] = [];
  #loaded: RedisOnlyConfig | undefined;
  #factory: DriverFactory | undefined;
  #seeds: Promise<readonly Visit[]> | undefined;
  #visits: Promise<readonly Visit[]> | undefined;
  #samples: Promise<readonly Sample[]> | undefined;
  #closed = false;
  #leftOut = 0;

  constructor({ environment, timeoutMs = CHECK_TIMEOUT_MS }: RedisPatientOptions = {}) {
    this.#environment = environment;
    this.patienceMs = Math.max(1, Math.floor(timeoutMs / SHARE_OF_PATIENCE));
  }

  /** @throws ConfigError, ConfigNilError */
  get loaded(): RedisOnlyConfig {
    this.#loaded ??= loadRedisConfig(this.#environment);
    return this.#loaded;
  }

  /** @throws ConfigError, ConfigNilError */
  get config(): RedisOnlyConfig["redis"] {
    return this.loaded.redis;
  }

  /** Reads the files that the configuration names. @throws ConfigError, CredentialError */
  get factory(): DriverFactory {
    // Without a name: what it is for, CLIENT SETNAME, may be refused, and would be waited for.
    const { dialTimeoutMs } = this.config;
    const patient = { ...this.config, name: undefined, dialTimeoutMs: Math.min(dialTimeoutMs, this.patienceMs) };
    this.#factory ??= createDriverFactory(patient, { logger: QUIET, instruments: NO_INSTRUMENTS });
    return this.#factory;
  }

  /** The addresses of the configuration, each tried once. */
  seeds(): Promise<readonly Visit[]> {
    const places = () => this.config.addresses.map((address) => ({ address, configured: true, isReplica: false }));
    this.#seeds ??= this.#visit(places());
    return this.#seeds;
  }

  /** Those, and in cluster mode every node that one of them announces. */
  visits(): Promise<readonly Visit[]> {
    this.#visits ??= this.#visitAll();
    return this.#visits;
  }

  /** How many announced nodes were too many to look at. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** The servers that let us in, each once, however many addresses lead to it. */
  async servers(): Promise<readonly Server[]> {
    const servers = (await this.visits()).flatMap(({ server }) => server ?? []);
    const runIds = await Promise.all(servers.map(runIdOf));
    return servers.filter((_, i) => runIds.indexOf(runIds[i] as string) === i);
  }

  /** Streams of meetings, from each master. */
  samples(): Promise<readonly Sample[]> {
    this.#samples ??= this.servers().then((servers) => sampleStreams(servers, this.patienceMs));
    return this.#samples;
  }

  async #visitAll(): Promise<readonly Visit[]> {
    const seeds = await this.seeds();
    if (this.config.mode === "single") return seeds;
    const tables = await Promise.all(seeds.flatMap(({ server }) => (server ? announcedBy(server) : [])));
    const masters = new Set(tables.flat().flatMap(({ nodes: [master] }) => (master ? nameOf(master) : [])));
    const others = new Map(tables.flat().flatMap(({ nodes }) => nodes.map((node) => [nameOf(node), node])));
    for (const { name } of seeds) others.delete(name);
    const places = [...others].map(([name, { host, port }]) => {
      return { address: { host, port }, configured: false, isReplica: !masters.has(name) };
    });
    // Masters first: they are what clients are sent to.
    const chosen = places.sort((a, b) => Number(a.isReplica) - Number(b.isReplica)).slice(0, MAX_ANNOUNCED);
    this.#leftOut = places.length - chosen.length;
    return [...seeds, ...(await this.#visit(chosen))];
  }

  async #visit(places: readonly Place[]): Promise<Visit[]> {
    const visits: Visit[] = [];
    for (let next = 0; next < places.length; next += AT_ONCE) {
      const some = places.slice(next, next + AT_ONCE);
      visits.push(...(await Promise.all(some.map((place) => this.#visitOne(place)))));
    }
    return visits;
  }

  async #visitOne(place: Place): Promise<Visit> {
    const visit = { ...place, name: nameOf(place.address) };
    if (this.#closed) return visit;
    const server = new Server(this.factory, place.address, this.patienceMs);
    this.#opened.push(server);
    try {
      await server.open();
      return { ...visit, server };
    } catch (error) {
      server.close();
      if (!(error instanceof RedisCommandError)) throw error;
      return { ...visit, error };
    }
  }

  /** After they were changed. */
  forgetSamples(): void {
    this.#samples = undefined;
  }

  /** As configured, or in the secret file; undefined: the default user. */
  get username(): string | undefined {
    return readCredentials(this.config.credentials).username;
  }

  /** What to do about an error that a check threw, if that is known. */
  advise(error: unknown): string | undefined {
    if (!(error instanceof RedisCommandError)) return undefined;
    return adviceOn(error, this.config.tls !== undefined);
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const server of this.#opened) server.close();
  }
}

/** Where INFO is refused, each address counts as a server of its own. */
async function runIdOf(server: Server): Promise<string> {
  const info = await server.info().catch(() => undefined);
  return info?.get("run_id") ?? server.name;
}

/** None where the server does not tell: why, is another check's to say. */
function announcedBy(server: Server): Promise<readonly SlotRange[]> {
  return slotTable(server).catch(() => []);
}
