/** One way to run a service, in a process of its own: what a driver tells of commands, it tells all containers of a process. */
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
import { createContainer } from "../src/container/container.js";
import { openTelemetry } from "../src/telemetry/openTelemetry.js";
import { prometheus } from "../src/telemetry/prometheus.js";
import type { Telemetry } from "../src/telemetry/telemetry.js";
import { round } from "./round.js";
import { MEETING_ID, type RoundRequest, SILENT, type Way } from "./telemetryGround.js";

const COLLECT_EVERY_MS = 1_000;

const TELEMETRY: Readonly<Record<Way, () => Telemetry[]>> = {
  off: () => [],
  "off, again": () => [],
  prometheus: () => [prometheus()],
  openTelemetry: () => [openTelemetry({ meterProvider: meterProvider(), tracerProvider: false })],
  "spans, none sampled": () => [spans(new BasicTracerProvider({ sampler: new AlwaysOffSampler() }))],
  "spans, all sampled": () => [spans(new BasicTracerProvider({ spanProcessors: [DROPPING] }))],
};

const DROPPING: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
};

function meterProvider(): MeterProvider {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: COLLECT_EVERY_MS });
  // What was exported is of no interest, and must not fill the memory.
  setInterval(() => exporter.reset(), COLLECT_EVERY_MS).unref();
  return new MeterProvider({ readers: [reader] });
}

function spans(tracerProvider: BasicTracerProvider): Telemetry {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return openTelemetry({ meterProvider: false, tracerProvider });
}

const [way] = process.argv.slice(2);
const options = { logger: SILENT, telemetry: TELEMETRY[way as Way]() };
const container = createContainer(loadConfig(), options);
await container.start();

const CALLS: Readonly<Record<RoundRequest["operation"], (i: number) => Promise<unknown>>> = {
  findHost: () => container.repositories.meetings.findHost(MEETING_ID),
  publish: (i) =>
    container.signals.publish({
      type: "DoordarshanUserJoined",
      meetingId: `m${i % 100}`,
      senderId: `participant-${i % 1_000}`,
      payload: { userJoinedReason: "joined" },
    }),
};

process.on("message", async ({ operation, calls, callers }: RoundRequest) => {
  const began = performance.now();
  await round(CALLS[operation], calls, callers);
  process.send?.(performance.now() - began);
});
process.once("disconnect", () => process.exit());
process.send?.("ready");
