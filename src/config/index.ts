import { ConfigNilError } from "../errors.js";
import { type Environment, readEnvironment } from "./environment.js";
import { readMysqlConfig } from "./mysqlConfig.js";
import { readRedisConfig } from "./redisConfig.js";
import { Report } from "./report.js";
import { Secret } from "./secret.js";
import type { DataConfig, MysqlOnlyConfig, RedisOnlyConfig } from "./types.js";

export { readAuthority } from "./authorityFile.js";
export { parseDsn } from "./connectionString.js";
export { loadDotenv } from "./dotenvFile.js";
export { type Credentials, readCredentials } from "./secretFile.js";
export type * from "./types.js";
export { type Variable, type VariableName, variables } from "./variables.js";
export { type Environment, Secret };

/**
 * Reads the configuration from `environment` (default: the process's) into a frozen object that is safe to print.
 * `variables` lists what is read, with defaults and bounds. Files that variables name are not opened here.
 * @throws ConfigError listing every variable that is wrong, never a value
 * @throws ConfigNilError without an environment
 */
export function loadConfig(environment: Environment = process.env): DataConfig {
  const report = new Report();
  const settings = readEnvironment(checked(environment), ["mysql", "redis"], report);
  const mysql = readMysqlConfig(settings, report);
  const redis = readRedisConfig(settings, report);
  report.throwProblems();
  return deepFreeze({ mysql, redis, notices: report.notices });
}

/**
 * MySQL's part of it alone, for what does not use Redis: the variables of Redis may be missing or wrong.
 * @throws ConfigError as `loadConfig`
 * @throws ConfigNilError without an environment
 */
export function loadMysqlConfig(environment: Environment = process.env): MysqlOnlyConfig {
  const report = new Report();
  const mysql = readMysqlConfig(readEnvironment(checked(environment), ["mysql"], report), report);
  report.throwProblems();
  return deepFreeze({ mysql, notices: report.notices });
}

/**
 * Redis' part of it alone, for what does not use MySQL: the variables of MySQL may be missing or wrong.
 * @throws ConfigError as `loadConfig`
 * @throws ConfigNilError without an environment
 */
export function loadRedisConfig(environment: Environment = process.env): RedisOnlyConfig {
  const report = new Report();
  const redis = readRedisConfig(readEnvironment(checked(environment), ["redis"], report), report);
  report.throwProblems();
  return deepFreeze({ redis, notices: report.notices });
}

function checked(environment: Environment): Environment {
  if (typeof environment !== "object" || environment === null) throw new ConfigNilError();
  return environment;
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
