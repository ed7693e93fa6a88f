import { InvalidInputError, TransportExistsError, TransportNotFoundError } from "../../errors.js";
import { type ClosedMedia, removeOwnConsumers, removeProducers } from "./closing.js";
import { type Database, isDuplicate } from "./database.js";
import { checkIds, lockParticipant, type MediaRole, missing, type ParticipantScope, READ_COMMITTED } from "./scope.js";

/** Which of a participant's two transports: the one they send or the one they receive on. */
export interface TransportScope extends ParticipantScope {
  readonly role: MediaRole;
}

export interface TransportRequest extends TransportScope {
  readonly transportId: string;
}

export type CreateOutcome = "created" | "already-exists";

/** What the node has to close after `recreate`; `transportId` is `null` when there was no other transport before. */
export interface ReplacedTransport extends ClosedMedia {
  readonly transportId: string | null;
}

interface Statements {
  readonly insert: string;
  readonly select: string;
  readonly lock: string;
  readonly delete: string;
}

function statementsOf(table: "participant_producer_transport" | "participant_consumer_transport"): Statements {
  return {
    insert: `INSERT INTO ${table} (participant_id, transport_id)
      SELECT participant_id, ? FROM participant_meeting WHERE participant_id = ? AND meeting_id = ?`,
    select: `SELECT transport.transport_id AS transportId FROM participant_meeting participant
      LEFT JOIN ${table} transport ON transport.participant_id = participant.participant_id
      WHERE participant.participant_id = ? AND participant.meeting_id = ?`,
    lock: `SELECT transport_id AS transportId FROM ${table} WHERE participant_id = ? FOR UPDATE`,
    delete: `DELETE FROM ${table} WHERE participant_id = ?`,
  };
}

const STATEMENTS: Readonly<Record<MediaRole, Statements>> = {
  producer: statementsOf("participant_producer_transport"),
  consumer: statementsOf("participant_consumer_transport"),
};

interface TransportRow {
  readonly transportId: string | null;
}

/** The WebRTC transports of participants: at most one for each role. */
export class TransportRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Records the participant's first transport of the role; `already-exists` when it is this very one.
   * @throws TransportExistsError: the participant has another one, or another participant has this one
   * @throws MeetingNotFoundError, ParticipantNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async create(request: TransportRequest): Promise<CreateOutcome> {
    const { insert } = checkRequest(request);
    return this.#db.transaction(async (tx) => {
      const { meetingId, participantId, transportId } = request;
      try {
        const { affectedRows } = await tx.execute(insert, [transportId, participantId, meetingId]);
        if (affectedRows === 0) throw await missing(tx, request);
        return "created";
      } catch (error) {
        if (!isDuplicate(error)) throw error;
        if ((await lockTransport(tx, request)) === transportId) return "already-exists";
        throw taken(request);
      }
    });
  }

  /**
   * Swaps the participant's transport for another, whole or not at all; as `create` if there was none, and nothing when it
   * is this one already. What stood on the old one is gone from the tables: for `producer` the participant's producers and
   * other participants' consumers of them, for `consumer` the participant's consumers.
   * @throws TransportExistsError: another participant has this one
   * @throws MeetingNotFoundError, ParticipantNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async recreate(request: TransportRequest): Promise<ReplacedTransport> {
    checkRequest(request);
    return this.#db.transaction(async (tx) => {
      await lockParticipant(tx, request);
      const previous = await lockTransport(tx, request);
      if (previous === request.transportId) return { transportId: null, producerIds: [], consumerIds: [] };
      const closed = await (request.role === "producer" ? removeProducers : removeOwnConsumers)(tx, request);
      await swap(tx, request);
      return { transportId: previous, ...closed };
    }, READ_COMMITTED);
  }

  /**
   * The id of the participant's transport.
   * @throws TransportNotFoundError, MeetingNotFoundError, ParticipantNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async find(scope: TransportScope): Promise<string> {
    const { role, meetingId, participantId } = scope;
    checkIds({ meetingId, participantId });
    const [row] = await this.#db.query<TransportRow>(statementsFor(role).select, [participantId, meetingId]);
    if (!row) throw await missing(this.#db, scope);
    if (row.transportId === null) throw new TransportNotFoundError(participantId, role);
    return row.transportId;
  }
}

function checkRequest({ role, meetingId, participantId, transportId }: TransportRequest): Statements {
  checkIds({ meetingId, participantId, transportId });
  return statementsFor(role);
}

function statementsFor(role: MediaRole): Statements {
  if (role === "producer" || role === "consumer") return STATEMENTS[role];
  throw new InvalidInputError("role", 'must be "producer" or "consumer"');
}

async function lockTransport(tx: Database, { role, participantId }: TransportScope): Promise<string | null> {
  const [row] = await tx.query<TransportRow>(STATEMENTS[role].lock, [participantId]);
  return row?.transportId ?? null;
}

async function swap(tx: Database, request: TransportRequest): Promise<void> {
  const { role, meetingId, participantId, transportId } = request;
  const statements = STATEMENTS[role];
  await tx.execute(statements.delete, [participantId]);
  try {
    await tx.execute(statements.insert, [transportId, participantId, meetingId]);
  } catch (error) {
    throw isDuplicate(error) ? taken(request) : error;
  }
}

function taken({ participantId, role, transportId }: TransportRequest): TransportExistsError {
  return new TransportExistsError(participantId, role, transportId);
}
