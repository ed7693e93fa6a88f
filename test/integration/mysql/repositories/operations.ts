import type { Database } from "../../../../src/mysql/repositories/database.js";
import { MediaRepository } from "../../../../src/mysql/repositories/media.js";
import { ParticipantRepository } from "../../../../src/mysql/repositories/participants.js";
import { TransportRepository } from "../../../../src/mysql/repositories/transports.js";

type Ids = Readonly<Record<string, string>>;

/** One operation with an id in every place that takes one. `made` are ids that it makes; the others name what there is. */
export interface Operation {
  readonly name: string;
  readonly ids: readonly string[];
  readonly made: readonly string[];
  readonly optional: readonly string[];
  run(database: Database, ids: Ids): Promise<unknown>;
}

const SCOPE = ["meetingId", "participantId"] as const;

function operation(
  name: string,
  { ids = [], made = [], optional = [] }: Partial<Pick<Operation, "ids" | "made" | "optional">>,
  run: (database: Database, ids: Ids) => Promise<unknown>,
): Operation {
  return { name, ids: [...ids, ...made, ...optional], made, optional, run };
}

const participants = (database: Database) => new ParticipantRepository(database);
const transports = (database: Database) => new TransportRepository(database);
const media = (database: Database) => new MediaRepository(database);
// biome-ignore lint/suspicious/noExplicitAny: the ids are what is under test, whatever their type.
const any = (ids: Ids): any => ids;

/** What takes lists gets its ids as lists of one. */
export const OPERATIONS: readonly Operation[] = [
  operation("allocateRouters", { ids: SCOPE }, (db, ids) => participants(db).allocateRouters(any(ids))),
  operation(
    "join",
    { ids: SCOPE, made: ["instanceId"], optional: ["producerRouterId", "consumerRouterId"] },
    (db, ids) => participants(db).join(any(ids)),
  ),
  operation("leave", { ids: [...SCOPE, "instanceId"] }, (db, ids) => participants(db).leave(any(ids))),
  operation("describe", { ids: SCOPE }, (db, ids) => participants(db).describe(...both(ids))),
  operation("list", { ids: ["meetingId"] }, (db, ids) => participants(db).list(any(ids).meetingId)),
  ...(["producer", "consumer"] as const).flatMap((role) => [
    operation(`create ${role} transport`, { ids: [...SCOPE, "transportId"] }, (db, ids) =>
      transports(db).create({ ...any(ids), role }),
    ),
    operation(`recreate ${role} transport`, { ids: [...SCOPE, "transportId"] }, (db, ids) =>
      transports(db).recreate({ ...any(ids), role }),
    ),
    operation(`find ${role} transport`, { ids: SCOPE }, (db, ids) => transports(db).find({ ...any(ids), role })),
  ]),
  operation("createProducer", { ids: [...SCOPE, "transportId"], made: ["kind", "producerId"] }, (db, ids) =>
    media(db).createProducer(any(ids)),
  ),
  operation("closeProducers", { ids: [...SCOPE, "producerId"] }, (db, { producerId, ...ids }) =>
    media(db).closeProducers({ ...any(ids), producerIds: [producerId] }),
  ),
  operation("listProducers", { ids: ["meetingId"], optional: ["excludeParticipantId"] }, (db, ids) =>
    media(db).listProducers(any(ids).meetingId, any(ids)),
  ),
  operation("findProducerIds", { ids: [...SCOPE, "kind"] }, (db, { kind, ...ids }) =>
    media(db).findProducerIds({ ...any(ids), kinds: [kind] }),
  ),
  operation("producerContext", { ids: SCOPE }, (db, ids) => media(db).producerContext(any(ids))),
  operation(
    "createConsumers",
    { ids: [...SCOPE, "transportId", "target"], made: ["kind", "consumerId"] },
    (db, { target, kind, consumerId, ...ids }) =>
      media(db).createConsumers({ ...any(ids), targets: new Map([[target, [{ kind, consumerId }]]]) }),
  ),
  operation("closeConsumers", { ids: [...SCOPE, "consumerId"] }, (db, { consumerId, ...ids }) =>
    media(db).closeConsumers({ ...any(ids), consumerIds: [consumerId] }),
  ),
  ...(["findConsumerIds", "consumerContext"] as const).map((name) =>
    operation(name, { ids: [...SCOPE, "target", "kind"] }, (db, { target, kind, ...ids }) =>
      media(db)[name]({ ...any(ids), targets: new Map([[target, [kind]]]) }),
    ),
  ),
];

function both(ids: Ids): [participantId: string, meetingId: string] {
  return [any(ids).participantId, any(ids).meetingId];
}
