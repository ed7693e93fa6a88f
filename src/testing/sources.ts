import { oneLine } from "../errors.js";
import { type Binaries, machineBinaries } from "./binaries.js";
import { dockerSource } from "./dockerSource.js";
import { ServicesUnavailableError } from "./errors.js";
import { LocalPlace } from "./localPlace.js";
import { fetchPackages } from "./packages.js";
import type { Source } from "./place.js";

export type StoreName = "mysql" | "redis";

/** The search for one store's servers. */
export interface Search {
  readonly store: StoreName;
  /** Tells the user what is being done. */
  readonly progress: (line: string) => void;
  /** Tells the user why a route is closed; all reasons are repeated if the search fails. */
  readonly closed: (reason: string) => void;
}

/** Limits the search to one route: `docker`, `machine` or `packages`. */
const ROUTE_VARIABLE = "DOORDARSHAN_TEST_SERVERS";

const PROGRAMS = { mysql: ["mariadbd", "mysqld"], redis: ["redis-server"] } as const;

const routes: Record<string, (search: Search) => Promise<Source | undefined>> = {
  docker: dockerSource,
  machine: async ({ store, closed }) => {
    const binaries = machineBinaries(process.env.PATH ?? "");
    if (binaries.find(...PROGRAMS[store])) return localSource("machine's binaries", binaries);
    closed(`no ${PROGRAMS[store].join(" or ")} on this machine`);
    return undefined;
  },
  packages: async (search) => {
    const binaries = await fetchPackages(search);
    return binaries && localSource("distribution's packages", binaries);
  },
};

const found = new Map<StoreName, Promise<Source>>();

/**
 * How private servers of a store are had; looked for once in each process.
 * @throws ServicesUnavailableError naming what was tried and the ways out
 */
export function findSource(store: StoreName, onProgress?: (line: string) => void): Promise<Source> {
  const known = found.get(store);
  if (known) return known;
  const source = search(store, onProgress);
  found.set(store, source);
  source.catch(() => found.delete(store));
  return source;
}

async function search(store: StoreName, onProgress: ((line: string) => void) | undefined): Promise<Source> {
  const reasons: string[] = [];
  const progress = (line: string) => onProgress?.(`${store}: ${line}`);
  const closed = (reason: string) => {
    reasons.push(oneLine(reason));
    progress(oneLine(reason));
  };
  for (const route of routesToTry()) {
    const source = await route({ store, progress, closed });
    if (source) return source;
  }
  throw new ServicesUnavailableError(`No ${store} server can be had (${reasons.join("; ")}). ${WAYS_OUT[store]}`);
}

function routesToTry() {
  const only = process.env[ROUTE_VARIABLE];
  if (!only) return Object.values(routes);
  const route = routes[only];
  if (!route) throw new ServicesUnavailableError(`${ROUTE_VARIABLE} must be one of ${Object.keys(routes).join(", ")}`);
  return [route];
}

const WAYS_OUT = {
  mysql:
    "Name a server in MYSQL_ENDPOINT (or MYSQL_CONNECTION_STRING), or start a Docker engine, or install mariadbd or mysqld",
  redis: "Name servers in REDIS_CLUSTER_ADDRESSES, or start a Docker engine, or install redis-server 6.2 or later",
} as const;

function localSource(label: string, binaries: Binaries): Source {
  return { label, sharesFiles: true, open: async () => new LocalPlace(binaries) };
}
