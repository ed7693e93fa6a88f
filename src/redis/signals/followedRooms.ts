import { withDeadline } from "../../deadline.js";
import { DeadlineExceededError, OperationAbortedError } from "../../errors.js";
import type { Following } from "../following/following.js";
import type { Follower, StreamReader } from "../following/room.js";

/** The reader of one meeting's stream. */
export interface MeetingReader extends StreamReader {
  readonly meetingId: string;
  /** Resolves once nothing published later can be missed. */
  readonly started: Promise<void>;
  close(): void;
}

interface FollowedRoom<R> {
  readonly reader: R;
  readonly follower: Follower;
  /** Resolves once it has started and is announced by the server; rejects when it is left before. */
  readonly ready: Promise<unknown>;
  readonly leave: (error: Error) => void;
}

/** Meetings that are followed together. */
export class FollowedRooms<R extends MeetingReader> {
  readonly #rooms = new Map<string, FollowedRoom<R>>();

  constructor(private readonly following: Following) {}

  get meetingIds(): string[] {
    return [...this.#rooms.keys()];
  }

  /** Those of the meetings that are not followed yet. */
  missing(meetingIds: readonly string[]): string[] {
    return meetingIds.filter((meetingId) => !this.#rooms.has(meetingId));
  }

  /**
   * Follows all, or none where it rejects: until all have started and are announced by the server, and those of `meetingIds` too that
   * were followed before.
   */
  async add(
    meetingIds: readonly string[],
    readers: readonly R[],
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
  ): Promise<void> {
    const overdue = () =>
      new DeadlineExceededError(`${meetingIds.length} meetings could not all be followed within ${timeoutMs} ms`);
    try {
      for (const reader of readers) this.#follow(reader);
      const ready = Promise.all(meetingIds.map((meetingId) => this.#rooms.get(meetingId)?.ready));
      await withDeadline({ timeoutMs, signal, overdue }, (deadline) => deadline.race(ready));
    } catch (error) {
      for (const reader of readers) this.#drop(reader);
      throw error;
    }
  }

  /** Returns the readers of those that were followed. */
  remove(meetingIds: readonly string[]): R[] {
    const readers = meetingIds.flatMap((meetingId) => this.#rooms.get(meetingId)?.reader ?? []);
    for (const reader of readers) this.#drop(reader);
    return readers;
  }

  /** There may be something to read. */
  due(reader: R): void {
    const room = this.#rooms.get(reader.meetingId);
    if (room?.reader === reader) room.follower.due("resumed");
  }

  #follow(reader: R): void {
    const follower = this.following.follow(reader);
    let leave: FollowedRoom<R>["leave"] = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = reject;
    });
    const ready = Promise.race([left, Promise.all([reader.started, follower.confirmed()])]);
    // Nobody may be waiting any more when it rejects.
    ready.catch(() => undefined);
    this.#rooms.set(reader.meetingId, { reader, follower, ready, leave });
  }

  #drop(reader: R): void {
    reader.close();
    const room = this.#rooms.get(reader.meetingId);
    if (room?.reader !== reader) return;
    this.#rooms.delete(reader.meetingId);
    this.following.unfollow(room.follower);
    room.leave(new OperationAbortedError(`${reader.meetingId} is no longer followed`));
  }
}
