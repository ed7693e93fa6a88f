/**
 * A container with telemetry and one without, in one process: two processes of the same code differ by far more than telemetry costs.
 * Each way has a process of its own.
 */
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { AlwaysOffSampler, BasicTracerProvider, type SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { loadConfig } from "../src/config/index.js";
import { type Container, createContainer } from "../src/container/container.js";
import { type HistogramProducer, histogramProducer, openTelemetry } from "../src/telemetry/openTelemetry.js";
import { prometheus } from "../src/telemetry/prometheus.js";
import type { Telemetry } from "../src/telemetry/telemetry.js";
import { round } from "./round.js";
import { MEETING_ID, type RoundRequest, SILENT, type Turn, type Way } from "./telemetryGround.js";

const COLLECT_EVERY_MS = 1_000;

const TELEMETRY: Readonly<Record<Way, () => Telemetry[]>> = {
  none: () => [],
  prometheus: () => [prometheus()],
  openTelemetry: () => [openTelemetry({ meterProvider: meterProvider(), tracerProvider: false })],
  "openTelemetry, histogramProducer": () => {
    const histograms = histogramProducer();
    return [openTelemetry({ meterProvider: meterProvider(histograms), histograms, tracerProvider: false })];
  },
  "spans, none sampled": () => [spans(new BasicTracerProvider({ sampler: new AlwaysOffSampler() }))],
  "spans, all sampled": () => [spans(new BasicTracerProvider({ spanProcessors: [DROPPING] }))],
};

const DROPPING: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
};

function meterProvider(...metricProducers: HistogramProducer[]): MeterProvider {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    metricProducers,
    exportIntervalMillis: COLLECT_EVERY_MS,
  });
  // What was exported is of no interest, and must not fill the memory.
  setInterval(() => exporter.reset(), COLLECT_EVERY_MS).unref();
  return new MeterProvider({ readers: [reader] });
}

function spans(tracerProvider: BasicTracerProvider): Telemetry {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return openTelemetry({ meterProvider: false, tracerProvider });
}

const [way] = process.argv.slice(2);
const off = createContainer(loadConfig(), { logger: SILENT });
const on = createContainer(loadConfig(), { logger: SILENT, telemetry: TELEMETRY[way as Way]() });
await Promise.all([off.start(), on.start()]);

const CALLS: Readonly<Record<RoundRequest["operation"], (container: Container, i: number) => Promise<unknown>>> = {
  findHost: ({ repositories }) => repositories.meetings.findHost(MEETING_ID),
  publish: ({ signals }, i) =>
    signals.publish({
      type: "DoordarshanUserJoined",
      meetingId: `m${i % 100}`,
      senderId: `participant-${i % 1_000}`,
      payload: { userJoinedReason: "joined" },
    }),
};

process.on("message", async (turn: Turn) => {
  const container = turn.on ? on : off;
  await round((i) => CALLS[turn.operation](container, i), turn.calls, turn.callers);
  process.send?.("done");
});
process.once("disconnect", () => process.exit());
process.send?.("ready");
