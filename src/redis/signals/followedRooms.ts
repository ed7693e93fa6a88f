import { withDeadline } from "../../deadline.js";
import { DeadlineExceededError } from "../../errors.js";
import type { Following } from "../following/following.js";
import type { Follower, StreamReader } from "../following/room.js";

/** The reader of one meeting's stream. */
export interface MeetingReader extends StreamReader {
  readonly meetingId: string;
  /** Resolves once nothing published later can be missed. */
  readonly started: Promise<void>;
  close(): void;
}

/** Meetings that are followed together. */
export class FollowedRooms<R extends MeetingReader> {
  readonly #rooms = new Map<string, { readonly reader: R; readonly follower: Follower }>();

  constructor(private readonly following: Following) {}

  get meetingIds(): string[] {
    return [...this.#rooms.keys()];
  }

  /** Those of the meetings that are not followed yet. */
  missing(meetingIds: readonly string[]): string[] {
    return meetingIds.filter((meetingId) => !this.#rooms.has(meetingId));
  }

  /** Follows all, or none where it rejects: until all have started and are announced by the server. */
  async add(readers: readonly R[], { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined }) {
    const overdue = () =>
      new DeadlineExceededError(`${readers.length} meetings could not all be followed within ${timeoutMs} ms`);
    try {
      const started = Promise.all(readers.flatMap((reader) => [reader.started, this.#follow(reader).confirmed()]));
      await withDeadline({ timeoutMs, signal, overdue }, (deadline) => deadline.race(started));
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

  #follow(reader: R): Follower {
    const follower = this.following.follow(reader);
    this.#rooms.set(reader.meetingId, { reader, follower });
    return follower;
  }

  #drop(reader: R): void {
    reader.close();
    const room = this.#rooms.get(reader.meetingId);
    if (room?.reader !== reader) return;
    this.#rooms.delete(reader.meetingId);
    this.following.unfollow(room.follower);
  }
}
