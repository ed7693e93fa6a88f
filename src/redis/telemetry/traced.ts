import type { RedisConfig } from "../../config/types.js";
import type { SpanOptions, Tracer } from "../../telemetry/telemetry.js";

type SpanAttributes = SpanOptions["attributes"];

export interface TracedMethod {
  /** The command that does its work. */
  readonly command: string;
  /** Default `client`. */
  readonly kind?: SpanOptions["kind"];
  /** What else is to be said, by the method's arguments, of which none has been checked. */
  readonly describe?: (...args: readonly unknown[]) => SpanAttributes;
}

/** `target` with each of its methods run in a span of its own, `<room>.<method>`; `target` itself where nobody wants spans. */
export function traced<T extends object>(
  target: T,
  room: string,
  methods: Readonly<Record<keyof T, TracedMethod>>,
  { tracer, config }: { readonly tracer: Tracer | undefined; readonly config: RedisConfig },
): T {
  if (!tracer) return target;
  const place = placeOf(config);
  const wrapped = Object.entries<TracedMethod>(methods).map(([name, { command, kind = "client", describe }]) => {
    const run = (target[name as keyof T] as (...args: unknown[]) => Promise<unknown>).bind(target);
    const fixed = { ...place, "db.operation.name": command };
    const method = (...args: unknown[]) =>
      tracer.span(`${room}.${name}`, { kind, attributes: { ...fixed, ...describe?.(...args) } }, () => run(...args));
    return [name, method];
  });
  return Object.fromEntries(wrapped) as T;
}

/** Of a cluster no one address is where the work is done. */
export function placeOf({ mode, addresses: [first] }: Pick<RedisConfig, "mode" | "addresses">): SpanAttributes {
  const system = { "db.system.name": "redis" };
  return mode === "single" && first ? { ...system, "server.address": first.host, "server.port": first.port } : system;
}

const MAX_ID_LENGTH = 64;

/** For a span only: metrics have no ids. Nothing that cannot be one. */
export function aboutMeeting(meetingId: unknown): SpanAttributes {
  if (typeof meetingId !== "string" || meetingId.length > MAX_ID_LENGTH) return {};
  return { "doordarshan.meeting.id": meetingId };
}
