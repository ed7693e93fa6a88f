import type { Database } from "./database.js";
import { FleetRepository } from "./fleet.js";
import { MediaRepository } from "./media.js";
import { MeetingRepository } from "./meetings.js";
import { ParticipantRepository } from "./participants.js";
import { TransportRepository } from "./transports.js";

/** Every operation on meeting state. All work alike on the pool and inside one transaction. */
export interface Repositories {
  readonly fleet: FleetRepository;
  readonly meetings: MeetingRepository;
  readonly participants: ParticipantRepository;
  readonly transports: TransportRepository;
  readonly media: MediaRepository;
}

export function createRepositories(database: Database): Repositories {
  return Object.freeze({
    fleet: new FleetRepository(database),
    meetings: new MeetingRepository(database),
    participants: new ParticipantRepository(database),
    transports: new TransportRepository(database),
    media: new MediaRepository(database),
  });
}
