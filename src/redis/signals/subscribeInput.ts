import { InvalidInputError } from "../../errors.js";
import { checkId, checkMeetingId } from "../../ids.js";
import { checkCallOptions } from "../input.js";
import type { SubscribeOptions } from "./subscription.js";

/** `now`: entries added from now on. `start`: everything that is still there. An entry id: what came after it. */
export type From = "now" | "start" | (string & {});

const ENTRY_ID = /^(\d{1,20})-(\d{1,20})$/;
const MAX_BUFFER_SIZE = 10_000;
const MAX_DEDUPE_WINDOW = 100_000;

/** @throws InvalidInputError unless all are meeting ids; a repeated one counts once */
export function checkMeetingIds(meetingIds: unknown): string[] {
  const list = Array.isArray(meetingIds) ? meetingIds : [meetingIds];
  return [...new Set(list.map((meetingId: unknown) => checkMeetingId("meetingId", meetingId)))];
}

/** Where each of the meetings is to be read from, by meeting; `otherwise` where `from` does not say. */
export function checkFrom(
  meetingIds: readonly string[],
  from: SubscribeOptions["from"],
  otherwise: "now" | "start" = "now",
): Map<string, string> {
  const own = (meetingId: string) => {
    if (typeof from !== "object" || from === null || Array.isArray(from)) return from;
    return Object.hasOwn(from, meetingId) ? (from as Readonly<Record<string, From>>)[meetingId] : undefined;
  };
  return new Map(meetingIds.map((meetingId) => [meetingId, checkOne(own(meetingId) ?? otherwise)]));
}

function checkOne(from: unknown): string {
  if (from === "now" || from === "start") return from;
  const parts = typeof from === "string" ? ENTRY_ID.exec(from)?.slice(1).map(BigInt) : undefined;
  // As the server writes it, without leading zeros: cursors are compared with its entries' ids.
  if (parts?.every((part) => part < 2n ** 64n)) return parts.join("-");
  throw new InvalidInputError("from", 'must be "now", "start" or an entry id such as "1732312345678-0"');
}

/** @throws InvalidInputError naming the option that is out of its bounds */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  checkCallOptions(options);
  const { recipientId, dedupeWindow, bufferSize, handler } = options;
  if (recipientId !== undefined) checkId("options.recipientId", recipientId);
  if (dedupeWindow !== undefined) checkWhole("options.dedupeWindow", dedupeWindow, MAX_DEDUPE_WINDOW);
  if (bufferSize !== undefined) checkWhole("options.bufferSize", bufferSize, MAX_BUFFER_SIZE);
  if (handler !== undefined && typeof handler !== "function")
    throw new InvalidInputError("options.handler", "must be a function");
}

function checkWhole(argument: string, value: unknown, max: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > max)
    throw new InvalidInputError(argument, `must be a whole number from 1 to ${max}`);
}
