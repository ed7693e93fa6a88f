import { HostNotFoundError, MeetingNotFoundError, RouterNotFoundError } from "../../errors.js";
import type { Database } from "./database.js";
import { fnv1a32 } from "./fnv1a.js";
import {
  assignRouter,
  enter,
  findPresent,
  type JoinOutcome,
  type JoinRequest,
  type LeaveOutcome,
  removeParticipant,
} from "./joining.js";
import {
  checkIds,
  hostOf,
  lockMeeting,
  type MediaRole,
  missing,
  type ParticipantScope,
  READ_COMMITTED,
} from "./scope.js";

export type { JoinOutcome, JoinRequest, LeaveOutcome } from "./joining.js";

export interface AllocatedRouters {
  /** The node of the consumer router. */
  readonly host: string;
  readonly producerRouterId: string;
  readonly consumerRouterId: string;
}

/** `null` is what the participant does not have (yet). */
export interface Participant {
  readonly participantId: string;
  readonly instanceId: string | null;
  readonly producerRouterId: string | null;
  readonly consumerRouterId: string | null;
}

export interface ParticipantState extends Participant {
  readonly meetingId: string;
  readonly host: string;
  readonly producerTransportId: string | null;
  readonly consumerTransportId: string | null;
  readonly producerIds: readonly string[];
  readonly consumerIds: readonly string[];
}

interface RouterRow {
  readonly routerId: string | null;
  readonly isProducer: number | string;
  readonly isConsumer: number | string;
  readonly host: string | null;
}

const ROUTERS = `SELECT router.router_id AS routerId, host.host AS host,
    (router.producer_capacity IS NOT NULL OR router.capacity IS NOT NULL) AS isProducer,
    (router.consumer_capacity IS NOT NULL OR router.capacity IS NOT NULL) AS isConsumer
  FROM meeting_status meeting
    LEFT JOIN router_meeting router ON router.meeting_id = meeting.meeting_id
    ${hostOf("router.router_id")}
  WHERE meeting.meeting_id = ?`;

const PARTICIPANT = `participant.participant_id AS participantId, participant.instance_id AS instanceId,
    producer_router.router_id AS producerRouterId, consumer_router.router_id AS consumerRouterId`;

const ROUTERS_OF_PARTICIPANT = `
    LEFT JOIN participant_producer_router producer_router ON producer_router.participant_id = participant.participant_id
    LEFT JOIN participant_consumer_router consumer_router ON consumer_router.participant_id = participant.participant_id`;

/** Who was given no router is on the meeting's node all the same. */
const HOME_ROUTER = `COALESCE(consumer_router.router_id, producer_router.router_id,
      (SELECT MIN(router_id) FROM router_meeting WHERE meeting_id = participant.meeting_id))`;

const DESCRIPTION = `SELECT ${PARTICIPANT}, participant.meeting_id AS meetingId, host.host AS host,
    producer_transport.transport_id AS producerTransportId, consumer_transport.transport_id AS consumerTransportId
  FROM participant_meeting participant ${ROUTERS_OF_PARTICIPANT}
    LEFT JOIN participant_producer_transport producer_transport
      ON producer_transport.participant_id = participant.participant_id
    LEFT JOIN participant_consumer_transport consumer_transport
      ON consumer_transport.participant_id = participant.participant_id
    ${hostOf(HOME_ROUTER)}
  WHERE participant.participant_id = ? AND participant.meeting_id = ?`;

const TRACKS = `SELECT 'producer' AS role, producer_id AS id FROM participant_producers
    WHERE meeting_id = ? AND participant_id = ?
  UNION ALL SELECT 'consumer', consumer_id FROM participant_consumers WHERE meeting_id = ? AND participant_id = ?`;

const LIST = `SELECT ${PARTICIPANT}
  FROM meeting_status meeting
    LEFT JOIN participant_meeting participant ON participant.meeting_id = meeting.meeting_id ${ROUTERS_OF_PARTICIPANT}
  WHERE meeting.meeting_id = ? ORDER BY participant.participant_id`;

/** Who is in which meeting, with which instance, on which routers. */
export class ParticipantRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Chooses the routers of one participant: the FNV-1a hash (32 bit) of their id modulo the meeting's routers of the role,
   * in byte order of router id. The same for every caller as long as the meeting keeps its routers; writes nothing.
   * @throws MeetingNotFoundError, RouterNotFoundError, HostNotFoundError, InvalidInputError
   */
  async allocateRouters({ meetingId, participantId }: ParticipantScope): Promise<AllocatedRouters> {
    checkIds({ meetingId, participantId });
    const rows = await this.#db.query<RouterRow>(ROUTERS, [meetingId]);
    if (rows.length === 0) throw new MeetingNotFoundError(meetingId);
    const hash = fnv1a32(participantId);
    const producer = choose(rows, ({ isProducer }) => Number(isProducer) === 1, hash);
    if (!producer) throw new RouterNotFoundError(meetingId, "producer");
    const consumer = choose(rows, ({ isConsumer }) => Number(isConsumer) === 1, hash);
    if (!consumer) throw new RouterNotFoundError(meetingId, "consumer");
    if (!consumer.host) throw new HostNotFoundError(meetingId);
    return { host: consumer.host, producerRouterId: producer.routerId, consumerRouterId: consumer.routerId };
  }

  /**
   * Puts the participant into the meeting. A new instance replaces the old one, whose routers, transports, producers and
   * consumers go, and others' consumers of them; `already-joined` changes nothing.
   * @throws MeetingNotFoundError
   * @throws ParticipantElsewhereError: they are in another meeting
   * @throws RouterNotFoundError: not a router of this meeting and role
   * @throws InvalidInputError: nothing was sent
   */
  async join(request: JoinRequest): Promise<JoinOutcome> {
    const { meetingId, participantId, instanceId, producerRouterId, consumerRouterId } = request;
    checkIds({ meetingId, participantId, instanceId });
    if (producerRouterId !== undefined) checkIds({ producerRouterId });
    if (consumerRouterId !== undefined) checkIds({ consumerRouterId });
    return this.#db.transaction(async (tx) => {
      if (!(await lockMeeting(tx, meetingId))) throw new MeetingNotFoundError(meetingId);
      const outcome = await enter(tx, request);
      if (outcome === "already-joined") return outcome;
      await assignRouter(tx, request, "producer", producerRouterId);
      await assignRouter(tx, request, "consumer", consumerRouterId);
      return outcome;
    }, READ_COMMITTED);
  }

  /**
   * Removes the participant, if this instance is the one that is in the meeting, with all that belongs to them and
   * others' consumers of them. Ask `describe` before for what the node has to close.
   * @throws InvalidInputError: nothing was sent
   */
  async leave({
    meetingId,
    participantId,
    instanceId,
  }: ParticipantScope & Pick<JoinRequest, "instanceId">): Promise<LeaveOutcome> {
    checkIds({ meetingId, participantId, instanceId });
    return this.#db.transaction(async (tx) => {
      await lockMeeting(tx, meetingId);
      const present = await findPresent(tx, participantId);
      if (present?.meetingId !== meetingId || present.instanceId !== instanceId) return "not-in-meeting";
      await removeParticipant(tx, participantId);
      return "left";
    }, READ_COMMITTED);
  }

  /**
   * All there is of one participant, who may produce nothing: what leaving and an ICE restart need.
   * @throws MeetingNotFoundError, ParticipantNotFoundError, HostNotFoundError, InvalidInputError
   */
  async describe(participantId: string, meetingId: string): Promise<ParticipantState> {
    checkIds({ participantId, meetingId });
    type Row = Omit<ParticipantState, "host" | "producerIds" | "consumerIds"> & { readonly host: string | null };
    const [row] = await this.#db.query<Row>(DESCRIPTION, [participantId, meetingId]);
    if (!row) throw await missing(this.#db, { meetingId, participantId });
    if (!row.host) throw new HostNotFoundError(meetingId);
    const parameters = [meetingId, participantId, meetingId, participantId];
    const tracks = await this.#db.query<{ role: MediaRole; id: string }>(TRACKS, parameters);
    const idsOf = (wanted: MediaRole) => tracks.filter(({ role }) => role === wanted).map(({ id }) => id);
    return { ...row, host: row.host, producerIds: idsOf("producer"), consumerIds: idsOf("consumer") };
  }

  /**
   * The meeting's participants in order of their ids.
   * @throws MeetingNotFoundError, InvalidInputError
   */
  async list(meetingId: string): Promise<readonly Participant[]> {
    checkIds({ meetingId });
    const rows = await this.#db.query<Participant | { readonly participantId: null }>(LIST, [meetingId]);
    if (rows.length === 0) throw new MeetingNotFoundError(meetingId);
    return rows.filter((row) => row.participantId !== null).map((row) => ({ ...row }));
  }
}

/** Rows come in any order: the choice must not depend on it. */
function choose(rows: readonly RouterRow[], fits: (row: RouterRow) => boolean, hash: number) {
  const fitting = rows.flatMap((row) =>
    row.routerId !== null && fits(row) ? [{ ...row, routerId: row.routerId }] : [],
  );
  fitting.sort((a, b) => Buffer.compare(Buffer.from(a.routerId), Buffer.from(b.routerId)));
  return fitting[hash % fitting.length];
}
