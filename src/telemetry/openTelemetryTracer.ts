import type { Link, Tracer as OpenTelemetryTracer, Span, SpanContext, SpanKind } from "@opentelemetry/api";
import { DataError } from "../errors.js";
import type { SpanOptions, Tracer } from "./telemetry.js";

type Api = typeof import("@opentelemetry/api");

/** Spans by the service's tracer; each is the active one while its work runs, if the service registered a context manager. */
export function createTracer(api: Api, tracer: OpenTelemetryTracer): Tracer {
  return {
    span: (name, options, work) => {
      const span = unlessItThrows(() => tracer.startSpan(name, startOptions(api, options)));
      if (!span) return work();
      return api.context.with(api.trace.setSpan(api.context.active(), span), () => finish(api, span, work));
    },
    traceparent: () => traceparentOf(api, api.trace.getSpanContext(api.context.active())),
  };
}

function startOptions({ SpanKind }: Api, { kind, attributes, root = false, linkedTo }: SpanOptions) {
  const kinds: Record<SpanOptions["kind"], SpanKind> = {
    client: SpanKind.CLIENT,
    producer: SpanKind.PRODUCER,
    consumer: SpanKind.CONSUMER,
    internal: SpanKind.INTERNAL,
  };
  const links = linkedTo === undefined ? [] : linksOf(linkedTo);
  return { kind: kinds[kind], attributes: { ...attributes }, root, links };
}

async function finish<T>({ SpanStatusCode }: Api, span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // No message: it may hold what a caller gave us.
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute("error.type", errorType(error));
    throw error;
  } finally {
    unlessItThrows(() => span.end());
  }
}

/** What a service's span processors throw is of no consequence to the work. */
function unlessItThrows<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** OpenTelemetry's word for what is no error at all is `_OTHER`. */
function errorType(error: unknown): string {
  if (error instanceof DataError) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}

function traceparentOf({ TraceFlags, isSpanContextValid }: Api, context: SpanContext | undefined): string | undefined {
  if (!context || !isSpanContextValid(context) || !(context.traceFlags & TraceFlags.SAMPLED)) return undefined;
  return `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, "0")}`;
}

/** W3C Trace Context: later versions may append fields, version 00 has none, ff is forbidden, and so are ids of zeros. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** What is not a `traceparent` came from somebody else, and is no reason to fail. */
function linksOf(traceparent: string): Link[] {
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent) ?? [];
  if (!traceId || !spanId || !flags || (version === "00" && more)) return [];
  return [{ context: { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true } }];
}
