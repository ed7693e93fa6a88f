/** The public API of doordarshan-data. What is not named here is private. */
export {
  type ConfigNotice,
  type DataConfig,
  loadConfig,
  loadDotenv,
  type MysqlConfig,
  type RedisConfig,
  Secret,
} from "./config/index.js";
export { type Container, type ContainerOptions, type ContainerState, createContainer } from "./container/container.js";
export type { Health, StoreHealth } from "./container/health.js";
export { stopOnSignals } from "./container/processSignals.js";
export {
  AcquireTimeoutError,
  BackpressureError,
  ClientNilError,
  CommitUnknownError,
  ConfigError,
  ConfigNilError,
  type ConfigProblem,
  CredentialError,
  DataError,
  DeadlineExceededError,
  DriverError,
  InvalidInputError,
  MigrationLockError,
  MysqlPingError,
  NotStoredError,
  OperationAbortedError,
  PendingMigrationsError,
  PublishUnknownError,
  QueryError,
  ReadOnlyError,
  RedisCommandError,
  RedisPingError,
  StartupError,
  type StartupStage,
  type Store,
  TransactionRetriesError,
} from "./errors.js";
export { createDataSource, type DataSource, type DataSourceOptions } from "./mysql/dataSource.js";
export {
  ContainerHeartbeat,
  ContainerStatus,
  MeetingStatus,
  ParticipantConsumer,
  ParticipantConsumerRouter,
  ParticipantConsumerTransport,
  ParticipantMeeting,
  ParticipantProducer,
  ParticipantProducerRouter,
  ParticipantProducerTransport,
  RouterMeeting,
  RouterWorker,
  WorkerContainer,
} from "./mysql/entities/index.js";
export { type RunMigrationsOptions, runMigrations } from "./mysql/migrations.js";
export type { EntityRepositories } from "./mysql/repositories.js";
export type { IsolationLevel, Transaction, TransactionOptions } from "./mysql/transaction.js";
export type { MessageHandler, Subscription } from "./redis/client.js";
export type { CallOptions, PushOptions, ReadOptions, RedisRepository, StreamEntry } from "./redis/repository.js";
export type { PublishedSignal, Signals } from "./redis/signals/signals.js";
export type {
  DecodedEntry,
  ReceivedSignal,
  Signal,
  SignalPayloads,
  SignalType,
  UnrecognisedEntry,
} from "./redis/signals/types.js";
export { createLogger, type Logger } from "./telemetry/logger.js";
