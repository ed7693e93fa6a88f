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

export type RepositoryClasses = { readonly [R in keyof Repositories]: new (database: Database) => Repositories[R] };

export const REPOSITORIES: RepositoryClasses = {
  fleet: FleetRepository,
  meetings: MeetingRepository,
  participants: ParticipantRepository,
  transports: TransportRepository,
  media: MediaRepository,
};

export function createRepositories(database: Database, classes: RepositoryClasses = REPOSITORIES): Repositories {
  return Object.freeze({
    fleet: new classes.fleet(database),
    meetings: new classes.meetings(database),
    participants: new classes.participants(database),
    transports: new classes.transports(database),
    media: new classes.media(database),
  });
}
