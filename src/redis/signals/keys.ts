import { ROOM_STREAM_PREFIX } from "../input.js";

/** The stream of a meeting whose id has been checked. */
export function streamOf(meetingId: string): string {
  return `${ROOM_STREAM_PREFIX}${meetingId}`;
}

/** A key beside the meeting's stream: the braces put it into the stream's own slot. Meeting ids have none. */
export function besideStream(meetingId: string, name: string): string {
  return `{${streamOf(meetingId)}}:${name}`;
}

/** The requestIds of idempotent signals, each with its entry's id: the latest, and those before them. */
export function requestKeys(meetingId: string): readonly [latest: string, earlier: string] {
  return [besideStream(meetingId, "requests"), besideStream(meetingId, "requests:earlier")];
}

/** Every key that a meeting may have: what closing it removes. The stream is last, since request ids count for nothing without it. */
export function keysOf(meetingId: string): readonly string[] {
  return [...requestKeys(meetingId), streamOf(meetingId)];
}
