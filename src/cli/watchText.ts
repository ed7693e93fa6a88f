import type { ResyncEvent, SignalEvent, SubscriptionEvent, UnrecognisedEvent } from "../redis/signals/events.js";
import { jsonLine, type Span, type Terminal, toLine } from "./terminalText.js";

/** So many receivers are named. */
const RECEIVERS_NAMED = 3;

/** An event as one line for people: when, meeting, what, and what it says. `now` tells whether the day has to be named. */
export function eventText(event: SubscriptionEvent, now: Date, terminal: Omit<Terminal, "rows">): string {
  const time = event.kind === "resync" ? dayTime(now, now) : entryTime(event.entryId, now);
  const head: Span[] = [{ text: `${time} `, style: "dim" }, { text: nameOf(event.meetingId), style: "bold" }, SPACE];
  return toLine([...head, ...body(event)], terminal);
}

const SPACE: Span = { text: " " };

function body(event: SubscriptionEvent): Span[] {
  switch (event.kind) {
    case "signal":
      return signalBody(event);
    case "unrecognised":
      return unrecognisedBody(event);
    case "resync":
      return resyncBody(event);
  }
}

function signalBody({ type, senderId, receiverIds, payload }: SignalEvent): Span[] {
  const receivers = receiverIds === null ? "" : ` → ${namesOf(receiverIds)}`;
  return [
    { text: type, style: "cyan" },
    { text: ` ${nameOf(senderId)}${receivers} ` },
    { text: JSON.stringify(payload), style: "dim" },
  ];
}

function unrecognisedBody({ reason, fields }: UnrecognisedEvent): Span[] {
  return [{ text: "UNRECOGNISED", style: "red" }, { text: ` ${reason}: ${JSON.stringify(fields)}` }];
}

function resyncBody({ reason, cursor }: ResyncEvent): Span[] {
  const text = ` entries are gone (${reason}): look at the meeting's state anew; what follows comes after ${cursor}`;
  return [{ text: "RESYNC", style: "yellow" }, { text }];
}

function namesOf(ids: readonly string[]): string {
  if (ids.length === 0) return "nobody";
  const more = ids.length > RECEIVERS_NAMED ? ` +${ids.length - RECEIVERS_NAMED}` : "";
  return ids.slice(0, RECEIVERS_NAMED).map(nameOf).join(",") + more;
}

/** In quotes where it could be taken for another part of the line. */
function nameOf(id: string): string {
  return id === "" || /[\s",→]/.test(id) ? JSON.stringify(id) : id;
}

/** An entry's id begins with the server's time in milliseconds; other programs may give it any number. */
function entryTime(entryId: string, now: Date): string {
  const at = new Date(Number(entryId.split("-")[0]));
  return Number.isNaN(at.getTime()) ? entryId : dayTime(at, now);
}

/** In UTC; the day only where it is not today. */
function dayTime(at: Date, now: Date): string {
  const [day, time] = at.toISOString().split("T") as [string, string];
  return now.toISOString().startsWith(`${day}T`) ? time : `${day} ${time}`;
}

/** An event as one line for machines, whole. */
export function eventJson(event: SubscriptionEvent): string {
  return jsonLine(event);
}
