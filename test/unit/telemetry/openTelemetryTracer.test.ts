import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect } from "chai";
import fc from "fast-check";
import packageJson from "../../../package.json" with { type: "json" };
import { MeetingNotFoundError } from "../../../src/errors.js";
import { openTelemetry } from "../../../src/telemetry/openTelemetry.js";
import type { SpanOptions, Tracer } from "../../../src/telemetry/telemetry.js";

const OPTIONS: SpanOptions = { kind: "client", attributes: { "db.system.name": "mysql", "server.port": 3306 } };
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";

function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail("did not fail"),
    (error) => error,
  );
}

describe("openTelemetry()'s spans", () => {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = openTelemetry({ meterProvider: false, tracerProvider }).tracer as Tracer;
  before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterEach(() => exporter.reset());
  after(async () => {
    context.disable();
    await tracerProvider.shutdown();
  });

  const onlySpan = (): ReadableSpan => {
    expect(exporter.getFinishedSpans()).to.have.length(1);
    return exporter.getFinishedSpans()[0] as ReadableSpan;
  };

  it("have a name, a kind and attributes, and end when the work does", async () => {
    let finish: (value: string) => void = () => undefined;
    const work = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const answer = tracer.span("meetings.describe", OPTIONS, () => work);
    expect(exporter.getFinishedSpans()).to.deep.equal([]);
    finish("done");
    expect(await answer).to.equal("done");
    const { name, kind, attributes, status, links, events, instrumentationScope } = onlySpan();
    expect({ name, kind, attributes, links, events }).to.deep.equal({
      name: "meetings.describe",
      kind: SpanKind.CLIENT,
      attributes: OPTIONS.attributes,
      links: [],
      events: [],
    });
    expect(status.code).to.equal(SpanStatusCode.UNSET);
    expect(instrumentationScope).to.include({ name: "doordarshan-data", version: packageJson.version });
  });

  it("leave the work alone when one of the service's processors throws", async () => {
    const fails = () => {
      throw new Error("processor");
    };
    const passes = () => undefined;
    const rest = { forceFlush: async () => undefined, shutdown: async () => undefined };
    for (const processor of [
      { onStart: fails, onEnd: passes, ...rest },
      { onStart: passes, onEnd: fails, ...rest },
    ]) {
      const provider = new BasicTracerProvider({ spanProcessors: [processor] });
      const failing = openTelemetry({ meterProvider: false, tracerProvider: provider }).tracer as Tracer;
      let runs = 0;
      expect(await failing.span("meetings.describe", OPTIONS, async () => ++runs)).to.equal(1);
    }
  });

  it("know each kind", async () => {
    const kinds = {
      client: SpanKind.CLIENT,
      producer: SpanKind.PRODUCER,
      consumer: SpanKind.CONSUMER,
      internal: SpanKind.INTERNAL,
    };
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[])
      await tracer.span(kind, { kind, attributes: {} }, async () => undefined);
    const seen = exporter.getFinishedSpans().map(({ name, kind }) => [name, kind]);
    expect(seen).to.deep.equal(Object.entries(kinds));
  });

  it("fail as the work does, saying which kind of error and none of its text", async () => {
    const secret = "canary-7";
    const errors = [new MeetingNotFoundError(secret), new RangeError(secret), secret];
    for (const error of errors) {
      const work = () => Promise.reject(error);
      expect(await failure(tracer.span("x", OPTIONS, work))).to.equal(error);
    }
    const thrown = new TypeError(secret);
    const throwing = () => {
      throw thrown;
    };
    expect(await failure(tracer.span("x", OPTIONS, throwing))).to.equal(thrown);
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ attributes }) => attributes["error.type"])).to.deep.equal([
      "ErrMeetingNotFound",
      "RangeError",
      "_OTHER",
      "TypeError",
    ]);
    for (const { status, events, attributes, name } of spans) {
      expect(status).to.deep.equal({ code: SpanStatusCode.ERROR });
      expect(JSON.stringify([status, events, attributes, name])).not.to.include(secret);
    }
  });

  it("are active while the work runs, each in its own flow", async () => {
    const seen = await Promise.all(
      ["a", "b"].map((name) =>
        tracer.span(name, OPTIONS, async () => {
          await new Promise(setImmediate);
          await tracer.span(`${name}.inner`, OPTIONS, async () => undefined);
          return { name, spanId: trace.getActiveSpan()?.spanContext().spanId };
        }),
      ),
    );
    const spans = exporter.getFinishedSpans();
    for (const { name, spanId } of seen) {
      expect(spans.find((span) => span.name === name)?.spanContext().spanId).to.equal(spanId);
      expect(spans.find((span) => span.name === `${name}.inner`)?.parentSpanContext?.spanId).to.equal(spanId);
    }
    expect(trace.getActiveSpan()).to.equal(undefined);
  });

  it("tell the active span's traceparent, and none of a span that is not sampled", async () => {
    expect(tracer.traceparent()).to.equal(undefined);
    const told = await tracer.span("x", OPTIONS, async () => tracer.traceparent());
    const { traceId, spanId } = onlySpan().spanContext();
    expect(told).to.equal(`00-${traceId}-${spanId}-01`);
    const unsampled = openTelemetry({
      meterProvider: false,
      tracerProvider: new BasicTracerProvider({ sampler: new AlwaysOffSampler() }),
    }).tracer as Tracer;
    expect(await unsampled.span("x", OPTIONS, async () => unsampled.traceparent())).to.equal(undefined);
  });

  it("link to the work they go on with, in a trace of their own", async () => {
    const linkedTo = await tracer.span("publish", { ...OPTIONS, kind: "producer" }, async () => tracer.traceparent());
    await tracer.span("handle", { ...OPTIONS, kind: "consumer", linkedTo }, async () => undefined);
    const [publish, handle] = exporter.getFinishedSpans();
    expect(handle?.links.map(({ context: linked }) => linked)).to.deep.equal([
      { ...publishContext(publish as ReadableSpan), isRemote: true },
    ]);
    expect(handle?.spanContext().traceId).not.to.equal(publish?.spanContext().traceId);
  });

  it("begin a trace of their own where they are to", async () => {
    await tracer.span("service", OPTIONS, () =>
      tracer.span("handle", { ...OPTIONS, root: true }, async () => undefined),
    );
    const [handle, service] = exporter.getFinishedSpans();
    expect(handle?.parentSpanContext).to.equal(undefined);
    expect(handle?.spanContext().traceId).not.to.equal(service?.spanContext().traceId);
  });

  it("take a later version's traceparent, and do without what is none", async () => {
    const linksTo = async (linkedTo: string) => {
      exporter.reset();
      await tracer.span("x", { ...OPTIONS, linkedTo }, async () => undefined);
      return onlySpan().links.length;
    };
    expect(await linksTo(`00-${TRACE_ID}-${SPAN_ID}-00`)).to.equal(1);
    expect(await linksTo(`01-${TRACE_ID}-${SPAN_ID}-01-more`)).to.equal(1);
    for (const none of [
      "",
      `00-${TRACE_ID}-${SPAN_ID}-01-more`,
      `ff-${TRACE_ID}-${SPAN_ID}-01`,
      `00-${"0".repeat(32)}-${SPAN_ID}-01`,
      `00-${TRACE_ID}-${"0".repeat(16)}-01`,
      `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
      `00-${TRACE_ID}-${SPAN_ID}-1`,
      ` 00-${TRACE_ID}-${SPAN_ID}-01`,
    ])
      expect(await linksTo(none), none).to.equal(0);
    const neverLinks = fc.asyncProperty(fc.string(), async (text) => {
      expect(await linksTo(text)).to.equal(0);
    });
    await fc.assert(neverLinks, { numRuns: 50 });
  });
});

function publishContext(span: ReadableSpan) {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceId, spanId, traceFlags };
}
