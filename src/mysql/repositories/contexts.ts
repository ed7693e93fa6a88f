import { HostNotFoundError, RouterNotFoundError, TransportNotFoundError } from "../../errors.js";
import type { Database } from "./database.js";
import { hostOf, type MediaRole, missing, type ParticipantScope } from "./scope.js";
import { pairsOf, type Target } from "./targets.js";

export interface ProducerContext {
  /** The node of the producer router. */
  readonly host: string;
  readonly producerRouterId: string;
  /** The meeting's other routers that serve consumers: where the producer is to be piped to. */
  readonly consumerRouterIds: readonly string[];
  readonly transportId: string;
}

export interface ConsumerContext {
  /** The node of the consumer router. */
  readonly host: string;
  readonly consumerRouterId: string;
  readonly transportId: string;
  /** What there is to consume: a target that does not send a kind is not among them. */
  readonly producers: readonly (Target & { readonly producerId: string })[];
}

const PRODUCER_CONTEXT = `SELECT own.router_id AS routerId, transport.transport_id AS transportId, host.host AS host,
    router.router_id AS consumerRouterId
  FROM participant_meeting participant
    LEFT JOIN participant_producer_router own ON own.participant_id = participant.participant_id
    LEFT JOIN participant_producer_transport transport ON transport.participant_id = participant.participant_id
    ${hostOf("own.router_id")}
    LEFT JOIN router_meeting router ON router.meeting_id = participant.meeting_id
      AND (router.consumer_capacity IS NOT NULL OR router.capacity IS NOT NULL) AND router.router_id <> own.router_id
  WHERE participant.participant_id = ? AND participant.meeting_id = ?
  ORDER BY router.router_id`;

const CONSUMER_CONTEXT = `SELECT own.router_id AS routerId, transport.transport_id AS transportId, host.host AS host
  FROM participant_meeting participant
    LEFT JOIN participant_consumer_router own ON own.participant_id = participant.participant_id
    LEFT JOIN participant_consumer_transport transport ON transport.participant_id = participant.participant_id
    ${hostOf("own.router_id")}
  WHERE participant.participant_id = ? AND participant.meeting_id = ?`;

/** The second condition, which the third implies, is what an index can serve. */
const PRODUCERS_OF_TARGETS = `SELECT participant_id AS targetParticipantId, kind, producer_id AS producerId
  FROM participant_producers
  WHERE meeting_id = ? AND participant_id IN (?) AND (participant_id, kind) IN (?)`;

interface ContextRow {
  readonly routerId: string | null;
  readonly transportId: string | null;
  readonly host: string | null;
}

type Context = { readonly [column in keyof ContextRow]: string };

export async function findProducerContext(db: Database, scope: ParticipantScope): Promise<ProducerContext> {
  type Row = ContextRow & { readonly consumerRouterId: string | null };
  const rows = await db.query<Row>(PRODUCER_CONTEXT, [scope.participantId, scope.meetingId]);
  if (!rows[0]) throw await missing(db, scope);
  const { host, routerId, transportId } = complete(rows[0], "producer", scope);
  const consumerRouterIds = rows.flatMap(({ consumerRouterId }) => consumerRouterId ?? []);
  return { host, producerRouterId: routerId, consumerRouterIds, transportId };
}

export async function findConsumerContext(
  db: Database,
  scope: ParticipantScope,
  targets: readonly Target[],
): Promise<ConsumerContext> {
  const [row] = await db.query<ContextRow>(CONSUMER_CONTEXT, [scope.participantId, scope.meetingId]);
  if (!row) throw await missing(db, scope);
  const { host, routerId, transportId } = complete(row, "consumer", scope);
  return { host, consumerRouterId: routerId, transportId, producers: await producersOf(db, scope.meetingId, targets) };
}

function complete(
  { host, routerId, transportId }: ContextRow,
  role: MediaRole,
  { meetingId, participantId }: ParticipantScope,
): Context {
  if (routerId === null) throw new RouterNotFoundError(meetingId, role);
  if (transportId === null) throw new TransportNotFoundError(participantId, role);
  if (!host) throw new HostNotFoundError(meetingId);
  return { host, routerId, transportId };
}

async function producersOf(
  db: Database,
  meetingId: string,
  targets: readonly Target[],
): Promise<ConsumerContext["producers"]> {
  if (targets.length === 0) return [];
  const participantIds = targets.map(({ targetParticipantId }) => targetParticipantId);
  const parameters = [meetingId, participantIds, pairsOf(targets)];
  const rows = await db.query<Target & { readonly producerId: string }>(PRODUCERS_OF_TARGETS, parameters);
  return rows.map((row) => ({ ...row }));
}
