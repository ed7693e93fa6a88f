import { readCredentials } from "../../config/secretFile.js";
import type { RedisConfig } from "../../config/types.js";
import type { Check, Finding } from "../../doctor/check.js";
import { ConfigError, CredentialError } from "../../errors.js";
import type { RedisPatient, Visit } from "./patient.js";
import { perServer } from "./perServer.js";
import { adviceOn, codeOf, nameOf } from "./server.js";

/** Whether the configuration makes sense, the servers let us in, and they are what it says they are. */
export const configurationCheck: Check<RedisPatient> = {
  id: "redis.configuration",
  title: "variables of Redis",
  run: async (patient) => {
    try {
      const { redis, notices } = patient.loaded;
      // Makes no connection; reads the files, which may be what is wrong.
      void patient.factory;
      const { warnings } = readCredentials(redis.credentials);
      const worrying = [...notices, ...warnings].filter(({ level }) => level === "warn");
      return [described(redis), ...worrying.map(({ variable, message }) => warned(variable, message))];
    } catch (error) {
      return problems(error);
    }
  },
};

function described({ mode, addresses, credentials, tls }: RedisConfig): Finding {
  const { kind, variable, ...rest } = credentials;
  const given = kind === "file" || ("password" in rest && rest.password !== undefined);
  const secret = given ? `credentials from ${variable}` : "no credentials";
  return {
    verdict: "ok",
    saw: `${mode === "cluster" ? "a cluster" : "a single instance"} at ${addresses.map(nameOf).join(", ")}; ${secret}; TLS ${tls ? "on" : "off"}`,
  };
}

function warned(variable: string, message: string): Finding {
  return { verdict: "warning", saw: `${variable} ${message}`, advice: `Change or unset ${variable}` };
}

function problems(error: unknown): readonly Finding[] {
  const advice = "Correct it; the README's table of variables has the bounds and the defaults";
  if (error instanceof CredentialError) return [{ verdict: "failed", saw: error.message, advice: "Mend that file" }];
  if (!(error instanceof ConfigError)) throw error;
  return error.problems.map(({ variable, problem }) => ({ verdict: "failed", saw: `${variable} ${problem}`, advice }));
}

export const accessChecks: readonly Check<RedisPatient>[] = [
  {
    id: "redis.login",
    title: "user and password",
    needs: ["redis.tcp"],
    run: async (patient) => authentication(patient.config, await patient.seeds()),
  },
  {
    id: "redis.mode",
    title: "cluster mode against reality",
    needs: ["redis.login"],
    run: (patient) =>
      perServer(patient, async (server) => modeFinding(patient.config.mode, modeOf(await server.info()))),
  },
  { id: "redis.version", title: "server version", needs: ["redis.login"], run: versions },
];

function authentication({ credentials, tls }: RedisConfig, seeds: readonly Visit[]): readonly Finding[] {
  const works = seeds.some(({ server }) => server);
  const given = credentials.kind === "file" || credentials.password !== undefined;
  return seeds.map(({ name, server, error }): Finding => {
    if (server) return { verdict: "ok", saw: `${name} lets ${given ? "the configured user" : "us"} in` };
    const refused = codeOf(error) === "WRONGPASS" || codeOf(error) === "NOAUTH";
    const needed = codeOf(error) === "NOAUTH" ? " (a password is needed, and none is configured)" : "";
    return {
      verdict: works && !refused ? "warning" : "failed",
      saw: `${name} cannot be used: ${error?.message}${needed}`,
      advice: error ? adviceOn(error, tls !== undefined) : "Run the doctor again",
    };
  });
}

type Mode = RedisConfig["mode"] | "sentinel";

function modeOf(info: ReadonlyMap<string, string>): Mode {
  if (info.get("redis_mode") === "sentinel") return "sentinel";
  return info.get("cluster_enabled") === "1" ? "cluster" : "single";
}

const ADVICE: Readonly<Record<Mode, string>> = {
  single: "Set REDIS_CLUSTER_MODE_ON=false, or name a cluster's nodes in REDIS_CLUSTER_ADDRESSES",
  cluster: "Set REDIS_CLUSTER_MODE_ON=true, or name a single instance in REDIS_CLUSTER_ADDRESSES",
  sentinel: "Name the Redis servers themselves in REDIS_CLUSTER_ADDRESSES; Sentinel is not supported",
};
const KIND: Readonly<Record<Mode, string>> = {
  single: "a single instance",
  cluster: "a node of a cluster",
  sentinel: "a Sentinel",
};

function modeFinding(configured: RedisConfig["mode"], real: Mode): Finding {
  if (configured === real) return { verdict: "ok", saw: `${KIND[real]}, as configured` };
  const saw = `${KIND[real]}, and REDIS_CLUSTER_MODE_ON is ${configured === "cluster"}`;
  return { verdict: "failed", saw, advice: ADVICE[real] };
}

const OLDEST = [6, 2] as const;

function versions(patient: RedisPatient): Promise<readonly Finding[]> {
  return perServer(patient, async (server) => {
    const info = await server.info();
    const [major, minor] = versionOf(info);
    const other = info.get("valkey_version");
    const saw = other ? `Valkey ${other} (Redis ${major}.${minor})` : `Redis ${info.get("redis_version")}`;
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return { verdict: "ok", saw };
    return { verdict: "failed", saw, advice: `Upgrade the server: ${OLDEST.join(".")} is the oldest that will do` };
  });
}

export function versionOf(info: ReadonlyMap<string, string>): [major: number, minor: number] {
  const [major = 0, minor = 0] = (info.get("redis_version") ?? "").split(".").map(Number);
  return [major, minor];
}
