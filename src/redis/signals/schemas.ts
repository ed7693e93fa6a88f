import { z } from "zod";
import { InvalidInputError } from "../../errors.js";
import { checkId, checkMeetingId } from "../../ids.js";
import { readPlainSignal } from "./plainSignal.js";
import type { ProducerMap, Signal, SignalPayloads, SignalType } from "./types.js";

const text = z.string().refine((value) => value.isWellFormed(), "must not contain a lone surrogate");

function checkedBy(check: (argument: string, value: unknown) => string) {
  return z.unknown().transform((value, context) => {
    try {
      return check("id", value);
    } catch (error) {
      const message = error instanceof InvalidInputError ? error.message.replace(/^id /, "") : "is no id";
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
  });
}

const id = checkedBy(checkId);
const meetingId = checkedBy(checkMeetingId);

/** Not `z.record`, which leaves a key named `__proto__` out. */
const producerMap = z.custom<ProducerMap>((value) => {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.entries(value).every(
    ([kind, producer]) => text.safeParse(kind).success && text.safeParse(producer).success,
  );
}, "must be an object of kinds and producer ids, all strings");

type Shapes = { readonly [T in SignalType]: z.ZodRawShape };

const shapes = {
  DoordarshanStreamPublish: { publishReason: text, producerMap, participantId: text },
  DoordarshanStreamUnPublish: { unPublishReason: text, producerMap, participantId: text },
  DoordarshanUserJoined: { userJoinedReason: text },
  DoordarshanUserLeft: { userLeftReason: text, instanceId: text },
  DoordarshanDisconnect: { disconnectReason: text.nullable() },
} satisfies Shapes;

export function isSignalType(value: unknown): value is SignalType {
  return typeof value === "string" && Object.hasOwn(shapes, value);
}

export const SIGNAL_TYPES = Object.keys(shapes) as SignalType[];

/** Strict: a misspelt `receiverIds` must not send to everyone. */
const signal = z.discriminatedUnion(
  "type",
  SIGNAL_TYPES.map((type) =>
    z.strictObject({
      type: z.literal(type),
      meetingId,
      senderId: id,
      receiverIds: z.array(id).min(1, "must not be empty; null or absent stands for everyone").nullish(),
      payload: z.strictObject(shapes[type]),
      requestId: text
        .min(1)
        .max(256)
        .refine((value) => !value.includes("\0"), "must not contain a NUL character")
        .optional(),
    }),
  ) as unknown as [z.ZodObject<{ type: z.ZodLiteral<SignalType> }>],
);

const payloadFields = Object.fromEntries(
  SIGNAL_TYPES.map((type) => [type, new Set(Object.keys(shapes[type]))]),
) as Record<SignalType, Set<string>>;

/** @throws InvalidInputError naming the path of what is wrong */
export function parseSignal(input: unknown): Signal {
  return readPlainSignal(input, payloadFields) ?? parseBySchema(input);
}

/** @throws InvalidInputError naming the path of what is wrong */
export function parseBySchema(input: unknown): Signal {
  const result = signal.safeParse(input);
  if (result.success) return result.data as unknown as Signal;
  const { path, message } = result.error.issues[0] ?? { path: [], message: "is invalid" };
  throw new InvalidInputError(["signal", ...path].map(String).join("."), describe(message, path));
}

function describe(message: string, path: readonly PropertyKey[]): string {
  if (path.length === 1 && path[0] === "type") return `must be one of ${SIGNAL_TYPES.join(", ")}`;
  return message.startsWith("must") ? message : `is refused: ${message}`;
}

const loosePayloads = Object.fromEntries(
  SIGNAL_TYPES.map((type) => [type, z.looseObject(shapes[type])]),
) as unknown as {
  readonly [T in SignalType]: z.ZodType;
};

/** Whether `value`, read from a stream, has at least what the type's payload needs; later versions may add fields. */
export function isPayload<T extends SignalType>(type: T, value: unknown): value is SignalPayloads[T] {
  return loosePayloads[type].safeParse(value).success;
}
