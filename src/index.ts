/** The public API of doordarshan-data. What is not named here is private. */
export {
  type ConfigNotice,
  type DataConfig,
  loadConfig,
  loadDotenv,
  loadMysqlConfig,
  loadRedisConfig,
  type MysqlConfig,
  type MysqlOnlyConfig,
  type RedisConfig,
  type RedisOnlyConfig,
  Secret,
} from "./config/index.js";
export {
  type Container,
  type ContainerOptions,
  type ContainerState,
  createContainer,
  type RepositoryTransaction,
} from "./container/container.js";
export type { MysqlHealth, RedisHealth, StoreHealth } from "./container/health/health.js";
export {
  type HealthHandler,
  type HealthResponse,
  healthHandler,
  healthResponse,
} from "./container/health/httpHealth.js";
export type { Health } from "./container/health/verdict.js";
export { stopOnSignals } from "./container/processSignals.js";
export type { ContainerSignals, MeetingSnapshot } from "./container/snapshot.js";
export {
  AcquireTimeoutError,
  AdoptionError,
  type AdoptionProblem,
  BackpressureError,
  ClientNilError,
  CommitUnknownError,
  ConfigError,
  ConfigNilError,
  type ConfigProblem,
  ContainerInUseError,
  ContainerNotAliveError,
  ContainerNotFoundError,
  CredentialError,
  DataError,
  DataLossError,
  DeadlineExceededError,
  DriverError,
  type HistoryProblem,
  HostNotFoundError,
  IdTakenError,
  InvalidInputError,
  MeetingNotFoundError,
  MigrationBlockedError,
  MigrationFailedError,
  MigrationHistoryError,
  MigrationLockError,
  MigrationSettingError,
  MigrationTableError,
  MissingPackageError,
  MysqlPingError,
  NoCapacityError,
  NotStoredError,
  OperationAbortedError,
  ParticipantElsewhereError,
  ParticipantNotFoundError,
  PendingMigrationsError,
  PublishUnknownError,
  QueryError,
  ReadOnlyError,
  RedisCommandError,
  RedisPingError,
  ReservationNotFoundError,
  RouterNotFoundError,
  StartupError,
  type StartupStage,
  type Store,
  TransactionRetriesError,
  TransportExistsError,
  TransportNotFoundError,
  WorkerNotFoundError,
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
export type { MysqlReplication } from "./mysql/inspection.js";
export type { Drift, TableDrift } from "./mysql/migrator/drift.js";
export type { Holder } from "./mysql/migrator/holders.js";
export {
  checkSchema,
  type MigrationOptions,
  migrationStatus,
  planMigrations,
  type RevertOptions,
  revertMigrations,
  runMigrations,
} from "./mysql/migrator/migrator.js";
export type { MigrationPlan, PlannedStatement } from "./mysql/migrator/plan.js";
export type { MigrationEvent } from "./mysql/migrator/progress.js";
export type { SchemaVersion } from "./mysql/migrator/schemaVersion.js";
export type { MigrationStatus } from "./mysql/migrator/status.js";
export type { PoolState } from "./mysql/pool.js";
export type { Allocation } from "./mysql/repositories/allocation.js";
export type { AllocateOptions, FleetRepository } from "./mysql/repositories/fleet.js";
export type { FleetContainer, FleetContainerDetails } from "./mysql/repositories/fleetLists.js";
export type { FleetOverview, Load, NodeOverview, WorkerOverview } from "./mysql/repositories/fleetOverview.js";
export type { Repositories } from "./mysql/repositories/index.js";
export type {
  ClosedMedia,
  Consumer,
  ConsumerContext,
  ConsumersRequest,
  MediaRepository,
  Producer,
  ProducerContext,
  ProducerRequest,
} from "./mysql/repositories/media.js";
export type {
  ConsumerDescription,
  MeetingDescription,
  ParticipantDescription,
  ProducerDescription,
  RouterDescription,
} from "./mysql/repositories/meetingDescription.js";
export type { MeetingRepository, NewMeeting, Replace, ReplaceOutcome } from "./mysql/repositories/meetings.js";
export type { ConfiguredRouter, NodeConfiguration } from "./mysql/repositories/nodeConfiguration.js";
export type {
  AllocatedRouters,
  JoinOutcome,
  JoinRequest,
  LeaveOutcome,
  Participant,
  ParticipantRepository,
  ParticipantState,
} from "./mysql/repositories/participants.js";
export {
  bestFit,
  type Candidate,
  type Choice,
  type Demand,
  type Layout,
  layOut,
  type PlacementStrategy,
  type Share,
  type WorkerRoom,
} from "./mysql/repositories/placement.js";
export type { Replacement } from "./mysql/repositories/replacement.js";
export type { NewRouter } from "./mysql/repositories/routers.js";
export type { MediaRole, ParticipantScope } from "./mysql/repositories/scope.js";
export type { Target, Targets } from "./mysql/repositories/targets.js";
export type {
  CreateOutcome,
  ReplacedTransport,
  TransportRepository,
  TransportRequest,
  TransportScope,
} from "./mysql/repositories/transports.js";
export type { IsolationLevel, Transaction, TransactionOptions } from "./mysql/transaction.js";
export type { MessageHandler, RedisClientState, Subscription } from "./redis/client.js";
export type { RedisClusterState } from "./redis/inspection.js";
export type { CallOptions, PushOptions, ReadOptions, RedisRepository, StreamEntry } from "./redis/repository.js";
export type { ResyncEvent, SignalEvent, SubscriptionEvent, UnrecognisedEvent } from "./redis/signals/events.js";
export type { ConsumeOptions, Delivery } from "./redis/signals/groups/consumeInput.js";
export type { SignalConsumption } from "./redis/signals/groups/consumption.js";
export type { DeadLetter } from "./redis/signals/groups/deadLetters.js";
export type { Behind, GroupLag, SignalLag, SubscriberLag } from "./redis/signals/lag.js";
export type { PublishedSignal, PublishOptions, PublishOutcome, Signals } from "./redis/signals/signals.js";
export type { From } from "./redis/signals/subscribeInput.js";
export type { SignalIterator, SignalSubscription, SubscribeOptions } from "./redis/signals/subscription.js";
export type {
  DecodedEntry,
  ReceivedSignal,
  Signal,
  SignalPayloads,
  SignalType,
  UnrecognisedEntry,
} from "./redis/signals/types.js";
export { type LogFields, withLogFields } from "./telemetry/logFields.js";
export { createLogger, type Logger } from "./telemetry/logger.js";
export type { Counter, Gauge, Histogram, MetricDefinition } from "./telemetry/metrics.js";
export type {
  Attributes,
  GaugeReader,
  MetricsBackend,
  Recorder,
  Recorders,
  Sample,
  SpanOptions,
  Telemetry,
  Tracer,
} from "./telemetry/telemetry.js";
