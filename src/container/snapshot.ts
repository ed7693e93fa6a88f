import type { MeetingDescription } from "../mysql/repositories/meetingDescription.js";
import type { MeetingRepository } from "../mysql/repositories/meetings.js";
import type { Signals } from "../redis/signals/signals.js";
import type { CallOptions } from "../redis/streamWriter.js";

/** A meeting's state, and where to follow its signals from. */
export interface MeetingSnapshot {
  readonly meeting: MeetingDescription;
  /** For `signals.subscribe(meetingId, { from: cursor })`. */
  readonly cursor: string;
}

/** Signals beside the meetings' state. */
export interface ContainerSignals extends Signals {
  /**
   * A meeting's state from MySQL and the cursor to go on from: who follows the signals from there misses no change, provided that
   * whoever changes the state publishes after the commit. A change that is in the state already may be delivered once more. `options`
   * are for reading the cursor; MySQL has its own limits.
   * @throws MeetingNotFoundError, QueryError, AcquireTimeoutError; and as `cursor`
   */
  snapshot(meetingId: string, options?: CallOptions): Promise<MeetingSnapshot>;
}

export function withSnapshot(signals: Signals, meetings: Pick<MeetingRepository, "describe">): ContainerSignals {
  return {
    ...signals,
    async snapshot(meetingId, options) {
      // Before the state: what happens in between is then in both rather than in neither.
      const cursor = await signals.cursor(meetingId, options);
      return { meeting: await meetings.describe(meetingId), cursor };
    },
  };
}
