/** The stream field that carries the publisher's trace context, as W3C writes it. Readers that do not know it pass it over. */
export const TRACEPARENT = "traceparent";

const FORM = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `value` if it is a trace context; what is broken is as good as none. */
export function readTraceparent(value: string | undefined): string | undefined {
  return value !== undefined && FORM.test(value) ? value : undefined;
}
