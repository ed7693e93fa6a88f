/**
 * Real servers for tests: this package's own and those of services that use it.
 * The module is also a mocha root-hook plugin: `mocha --require doordarshan-data/testing`.
 */
export { createDatabase, type Environment, type TestDatabase } from "./database.js";
export { ServerStartError, ServicesUnavailableError } from "./errors.js";
export { mochaGlobalSetup, mochaGlobalTeardown, mochaHooks } from "./mocha.js";
export { type MysqlServer, type MysqlServerOptions, startMysqlServer } from "./mysqlServer.js";
export { type RedisCluster, type RedisClusterOptions, type RedisNode, startRedisCluster } from "./redisCluster.js";
export { type RedisServer, type RedisServerOptions, startRedisServer } from "./redisServer.js";
export type { Server, ServerTls } from "./server.js";
export { type Services, type ServicesOptions, SINGLE_REDIS_VARIABLE, startServices } from "./services.js";
