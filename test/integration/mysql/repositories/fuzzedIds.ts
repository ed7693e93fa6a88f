import * as fc from "fast-check";
import { checkId } from "../../../../src/ids.js";
import { NASTY_IDS } from "./meetingRows.js";

/** Their own ids, near misses of these, injections around them, and anything at all. */
export function referenceTo(foreign: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(fc.constantFrom(...foreign), freshId(new Set(foreign)));
}

/** As `referenceTo`, but none of theirs. */
export function freshId(foreign: ReadonlySet<string>): fc.Arbitrary<string> {
  const near = fc
    .tuple(
      fc.constantFrom(...foreign),
      fc.constantFrom<(id: string) => string>(
        (id) => id.toUpperCase(),
        (id) => id.toLowerCase(),
        (id) => id.normalize("NFD"),
        (id) => `${id}\u200d`,
        (id) => id.slice(1),
        (id) => `%${id.slice(-3)}`,
        (id) => `' OR participant_id = '${id}`,
        (id) => `\\' OR meeting_id = '${id}' -- x`,
        (id) => `x', '${id}`,
        (id) => `?${id}`,
      ),
    )
    .map(([id, change]) => change(id));
  const arbitrary = fc.oneof(near, fc.constantFrom(...NASTY_IDS), fc.string({ unit: "grapheme", maxLength: 64 }));
  return arbitrary.filter((id) => isId(id) && !foreign.has(id));
}

function isId(value: string): boolean {
  try {
    checkId("id", value);
    return true;
  } catch {
    return false;
  }
}
