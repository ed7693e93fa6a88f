/**
 * Every metric of the package. Names, units and attributes are OpenTelemetry's where it has them ("Semantic conventions for database
 * client metrics"); Prometheus' names follow from them (`prometheusName`). Attributes are bounded: an id never is one.
 */
export interface MetricDefinition {
  readonly kind: "counter" | "histogram" | "gauge";
  readonly name: string;
  /** In UCUM: `s`, `By`, or what is counted in braces. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: readonly string[];
  /** Of a histogram: upper bounds. */
  readonly buckets?: readonly number[];
}

export interface Counter extends MetricDefinition {
  readonly kind: "counter";
}
export interface Histogram extends MetricDefinition {
  readonly kind: "histogram";
  readonly buckets: readonly number[];
}
export interface Gauge extends MetricDefinition {
  readonly kind: "gauge";
  /** What several containers of a process show together, of the same attributes. */
  readonly together: "sum" | "max" | "min";
}

/** In seconds: from a local round trip up to the longest default deadline. */
const SECONDS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

type Attributes = readonly string[];
const counter = (name: string, unit: string, description: string, attributes: Attributes = []): Counter => ({
  kind: "counter",
  name,
  unit,
  description,
  attributes,
});
const seconds = (name: string, description: string, attributes: Attributes = []): Histogram => ({
  kind: "histogram",
  name,
  unit: "s",
  description,
  attributes,
  buckets: SECONDS,
});
const gauge = (
  name: string,
  unit: string,
  description: string,
  attributes: Attributes = [],
  together: Gauge["together"] = "sum",
): Gauge => ({ kind: "gauge", name, unit, description, attributes, together });

const STORE = "db.system.name";
const POOL = "db.client.connection.pool.name";
const ERROR = "error.type";

export const METRICS = {
  operationDuration: seconds("db.client.operation.duration", "Until a statement or command was answered or failed", [
    STORE,
    "db.operation.name",
    "db.query.summary",
    ERROR,
  ]),

  connections: gauge("db.client.connection.count", "{connection}", "Connections of the pool", [POOL, "state"]),
  connectionsMax: gauge("db.client.connection.max", "{connection}", "How many connections the pool may open", [POOL]),
  connectionsWaiting: gauge("db.client.connection.pending_requests", "{request}", "Callers waiting for a place", [
    POOL,
  ]),
  connectionTimeouts: counter("db.client.connection.timeouts", "{timeout}", "Callers that got no place", [POOL]),
  connectionWait: seconds("db.client.connection.wait_time", "Until a caller had a connection", [POOL]),
  connectionUse: seconds("db.client.connection.use_time", "Between borrowing and giving back", [POOL]),
  connectionCreate: seconds("db.client.connection.create_time", "Until a new connection was ready", [POOL]),
  connectionErrors: counter("doordarshan.connection.errors", "{error}", "Connections that could not be made or broke", [
    STORE,
    ERROR,
  ]),

  transactions: counter("doordarshan.transactions", "{transaction}", "Transactions by how they ended", ["outcome"]),
  transactionRetries: counter("doordarshan.transaction.retries", "{retry}", "Transactions run again, by why", [
    "reason",
  ]),

  redisInFlight: gauge("doordarshan.redis.commands.in_flight", "{command}", "Redis commands under way"),
  redisWaiting: gauge("doordarshan.redis.commands.waiting", "{command}", "Redis commands waiting for a place"),
  redisQueuedBytes: gauge("doordarshan.redis.commands.queued", "By", "About what Redis commands take in memory"),
  redisRedirections: counter("doordarshan.redis.redirections", "{redirection}", "Answers that named another node", [
    "kind",
  ]),
  redisFailovers: counter("doordarshan.redis.failovers", "{failover}", "Masters of the cluster seen to change"),

  signalsPublished: counter("doordarshan.signals.published", "{signal}", "Signals published, by what became of them", [
    "type",
    "outcome",
  ]),
  publishDuration: seconds("doordarshan.signals.publish.duration", "From publish, or publishMany, to its answer", [
    "operation",
  ]),
  signalsReceived: counter("doordarshan.signals.received", "{event}", "Events given to subscribers and consumers", [
    "type",
  ]),
  roomsFollowed: gauge(
    "doordarshan.signals.rooms_followed",
    "{meeting}",
    "Meetings that subscriptions and consumers follow",
  ),
  lagEntries: gauge(
    "doordarshan.signals.lag.entries",
    "{entry}",
    "Entries read that wait for a subscriber, or for a consumer to finish them; what is still in Redis is not counted",
  ),
  lagSeconds: gauge(
    "doordarshan.signals.lag.duration",
    "s",
    "Age of the oldest of them by this process's clock; 0 when there is none",
    [],
    "max",
  ),
  signalsPending: gauge(
    "doordarshan.signals.pending",
    "{entry}",
    "Entries given to this process's consumers and not acknowledged",
  ),
  deadLetters: counter("doordarshan.signals.dead_letters", "{entry}", "Entries given up by this process's consumers"),

  containerStart: gauge("doordarshan.container.start.duration", "s", "How long the last start took", [], "max"),
  containerReady: gauge(
    "doordarshan.container.ready",
    "{container}",
    "1 while the data layer is ready, as health() says; 0 also while a store does not answer; not there when it is stopped or its start has failed",
    [],
    "min",
  ),

  // Containers of a process mostly have one database.
  fleetContainers: gauge(
    "doordarshan.fleet.containers",
    "{container}",
    "Media nodes with a recent heartbeat; 0 for an hour after a tenant's last one has died",
    ["tenant"],
    "max",
  ),
  fleetCapacity: gauge(
    "doordarshan.fleet.capacity",
    "{stream}",
    "What these nodes may carry (`limit`), carry (`used`) and have promised (`reserved`, the only one by role)",
    ["tenant", "role", "state"],
    "max",
  ),
} as const satisfies Record<string, MetricDefinition>;

/** What Prometheus calls it: units are written out, counters end in `_total`. */
export function prometheusName({ kind, name, unit }: MetricDefinition): string {
  const units: Record<string, string> = { s: "_seconds", By: "_bytes" };
  return name.replace(/[^a-z0-9]/g, "_") + (units[unit] ?? "") + (kind === "counter" ? "_total" : "");
}

/** What Prometheus calls the attribute. */
export function prometheusLabel(attribute: string): string {
  return attribute.replace(/[^a-z0-9]/g, "_");
}
