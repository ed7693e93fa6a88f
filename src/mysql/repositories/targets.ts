import { InvalidInputError } from "../../errors.js";
import { checkId } from "../../ids.js";

/** For each participant whose media is wanted a list: of kinds (`audio`, `video` …), or of what is said of each kind. */
export type Targets<T = string> =
  | ReadonlyMap<string, readonly T[]>
  | { readonly [targetParticipantId: string]: readonly T[] };

export interface Target {
  readonly targetParticipantId: string;
  readonly kind: string;
}

/** What a consumer is told apart by among one participant's. */
export function keyOf({ targetParticipantId, kind }: Target): string {
  return JSON.stringify([targetParticipantId, kind]);
}

/** The pairs as a row list for `(…, …) IN (?)`. */
export function pairsOf(targets: readonly Target[]): readonly (readonly [string, string])[] {
  return targets.map(({ targetParticipantId, kind }) => [targetParticipantId, kind]);
}

/** @throws InvalidInputError naming what is no target or no kind */
export function listKinds(targets: Targets): readonly Target[] {
  return listTargets(targets).map(({ targetParticipantId, item }) => ({
    targetParticipantId,
    kind: checkId("kind", item),
  }));
}

/** One entry for each item of each target. @throws InvalidInputError */
export function listTargets<T>(targets: Targets<T>): readonly { targetParticipantId: string; item: T }[] {
  return entriesOf(targets).flatMap(([targetParticipantId, items]) => {
    checkId("targetParticipantId", targetParticipantId);
    return checkList(`the list of target ${JSON.stringify(targetParticipantId)}`, items).map((item) => ({
      targetParticipantId,
      item,
    }));
  });
}

/** @throws InvalidInputError */
export function checkList<T>(argument: string, list: readonly T[]): readonly T[] {
  if (Array.isArray(list)) return list;
  throw new InvalidInputError(argument, "must be an array");
}

function entriesOf<T>(targets: Targets<T>): readonly (readonly [string, readonly T[]])[] {
  if (targets instanceof Map) return [...targets.entries()];
  if (isPlainObject(targets)) return Object.entries(targets);
  // `{ __proto__: [...] }` sets the prototype: that participant would be lost without a word.
  throw new InvalidInputError("targets", "must be a Map or a plain object; use a Map if a participant is `__proto__`");
}

function isPlainObject(value: unknown): value is Record<string, never> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
