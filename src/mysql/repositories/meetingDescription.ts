import { MeetingNotFoundError } from "../../errors.js";
import type { Database } from "./database.js";

export interface RouterDescription {
  readonly routerId: string;
  readonly workerId: string | null;
  readonly containerId: string | null;
  readonly host: string | null;
  /** The one of the three that is set says what the router is for. */
  readonly producerCapacity: number | null;
  readonly consumerCapacity: number | null;
  readonly capacity: number | null;
}

export interface ParticipantDescription {
  readonly participantId: string;
  readonly instanceId: string | null;
  readonly producerRouterId: string | null;
  readonly consumerRouterId: string | null;
  readonly producerTransportId: string | null;
  readonly consumerTransportId: string | null;
}

export interface ProducerDescription {
  readonly participantId: string;
  readonly producerId: string;
  readonly kind: string | null;
  readonly transportId: string | null;
}

export interface ConsumerDescription {
  readonly participantId: string | null;
  readonly targetParticipantId: string | null;
  readonly consumerId: string;
  readonly kind: string | null;
  readonly transportId: string | null;
}

export interface MeetingDescription {
  readonly meetingId: string;
  readonly enabled: boolean;
  /** Of its media nodes, each once: one, unless another program spread the meeting. */
  readonly hosts: readonly string[];
  readonly routers: readonly RouterDescription[];
  readonly participants: readonly ParticipantDescription[];
  readonly producers: readonly ProducerDescription[];
  readonly consumers: readonly ConsumerDescription[];
}

/** Each joins one row to one row, so that the lists grow with what is there and never multiply. */
const ROUTERS = `SELECT m.router_id AS routerId, r.worker_id AS workerId,
    COALESCE(w.container_id, m.container_id) AS containerId, h.host,
    m.producer_capacity AS producerCapacity, m.consumer_capacity AS consumerCapacity, m.capacity
  FROM router_meeting m
  LEFT JOIN router_worker r ON r.router_id = m.router_id
  LEFT JOIN worker_container w ON w.worker_id = r.worker_id
  LEFT JOIN container_heartbeat h ON h.container_id = COALESCE(w.container_id, m.container_id)
  WHERE m.meeting_id = ? ORDER BY m.router_id`;
const PARTICIPANTS = `SELECT p.participant_id AS participantId, p.instance_id AS instanceId,
    pr.router_id AS producerRouterId, cr.router_id AS consumerRouterId,
    pt.transport_id AS producerTransportId, ct.transport_id AS consumerTransportId
  FROM participant_meeting p
  LEFT JOIN participant_producer_router pr ON pr.participant_id = p.participant_id
  LEFT JOIN participant_consumer_router cr ON cr.participant_id = p.participant_id
  LEFT JOIN participant_producer_transport pt ON pt.participant_id = p.participant_id
  LEFT JOIN participant_consumer_transport ct ON ct.participant_id = p.participant_id
  WHERE p.meeting_id = ? ORDER BY p.participant_id`;
const PRODUCERS = `SELECT participant_id AS participantId, producer_id AS producerId, kind, transport_id AS transportId
  FROM participant_producers WHERE meeting_id = ? ORDER BY participant_id, producer_id`;
const CONSUMERS = `SELECT participant_id AS participantId, target_participant_id AS targetParticipantId,
    consumer_id AS consumerId, kind, transport_id AS transportId
  FROM participant_consumers WHERE meeting_id = ? ORDER BY participant_id, consumer_id`;

/** One transaction is one moment, whatever the server's default is; one that is joined is as the caller began it. */
const ONE_MOMENT = { isolation: "REPEATABLE READ" } as const;

/** @throws MeetingNotFoundError */
export function describeMeeting(database: Database, meetingId: string): Promise<MeetingDescription> {
  return database.transaction(async (tx) => {
    const [status] = await tx.query<{ enabled: number | null }>(
      "SELECT enabled FROM meeting_status WHERE meeting_id = ?",
      [meetingId],
    );
    if (!status) throw new MeetingNotFoundError(meetingId);
    const routers = await tx.query<RouterDescription>(ROUTERS, [meetingId]);
    return {
      meetingId,
      enabled: status.enabled !== 0,
      hosts: [...new Set(routers.flatMap(({ host }) => host || []))],
      routers,
      participants: await tx.query<ParticipantDescription>(PARTICIPANTS, [meetingId]),
      producers: await tx.query<ProducerDescription>(PRODUCERS, [meetingId]),
      consumers: await tx.query<ConsumerDescription>(CONSUMERS, [meetingId]),
    };
  }, ONE_MOMENT);
}
