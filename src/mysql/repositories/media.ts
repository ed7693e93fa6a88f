import { MeetingNotFoundError, TransportNotFoundError } from "../../errors.js";
import { checkId } from "../../ids.js";
import { type ClosedMedia, removeProducers } from "./closing.js";
import { type Consumer, findConsumers, insertConsumers } from "./consumers.js";
import { type ConsumerContext, findConsumerContext, findProducerContext, type ProducerContext } from "./contexts.js";
import { type Database, isDuplicate } from "./database.js";
import { checkIds, lockMeeting, type ParticipantScope, READ_COMMITTED, requirePresent } from "./scope.js";
import { checkList, listKinds, listTargets, type Targets } from "./targets.js";
import type { CreateOutcome } from "./transports.js";

export type { ClosedMedia } from "./closing.js";
export type { Consumer } from "./consumers.js";
export type { ConsumerContext, ProducerContext } from "./contexts.js";

export interface ProducerRequest extends ParticipantScope {
  /** What is sent: `audio`, `video` or any other word of the caller's. */
  readonly kind: string;
  readonly producerId: string;
  /** The participant's producer transport, on which the producer stands. */
  readonly transportId: string;
}

export interface Producer {
  readonly participantId: string;
  readonly kind: string;
  readonly producerId: string;
}

export interface ConsumersRequest extends ParticipantScope {
  /** The participant's consumer transport, on which the consumers stand. */
  readonly transportId: string;
  readonly targets: Targets<{ readonly kind: string; readonly consumerId: string }>;
}

const INSERT_PRODUCER = `INSERT INTO participant_producers
    (participant_id, producers, kind, producer_id, meeting_id, transport_id)
  SELECT participant.participant_id, 1, ?, ?, participant.meeting_id, transport.transport_id
  FROM participant_meeting participant
    JOIN participant_producer_transport transport ON transport.participant_id = participant.participant_id
  WHERE participant.participant_id = ? AND participant.meeting_id = ? AND transport.transport_id = ?`;

const PRODUCERS_OF_MEETING = `SELECT producer.participant_id AS participantId, producer.kind AS kind,
    producer.producer_id AS producerId
  FROM meeting_status meeting
    LEFT JOIN participant_producers producer
      ON producer.meeting_id = meeting.meeting_id AND producer.kind IS NOT NULL AND producer.participant_id <> ?
  WHERE meeting.meeting_id = ?`;

const PRODUCERS_OF_KINDS = `SELECT producer.kind AS kind, producer.producer_id AS producerId
  FROM participant_meeting participant
    LEFT JOIN participant_producers producer ON producer.participant_id = participant.participant_id
      AND producer.meeting_id = participant.meeting_id AND producer.kind IN (?)
  WHERE participant.participant_id = ? AND participant.meeting_id = ?`;

/** Who sends what, and who receives what of whom. */
export class MediaRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Records a producer; `already-exists` when the participant has one with this id.
   * @throws MeetingNotFoundError, ParticipantNotFoundError
   * @throws TransportNotFoundError: the participant's producer transport is not (or no longer) this one
   * @throws InvalidInputError: nothing was sent
   */
  async createProducer(request: ProducerRequest): Promise<CreateOutcome> {
    const { meetingId, participantId, kind, producerId, transportId } = request;
    checkIds({ meetingId, participantId, kind, producerId, transportId });
    const parameters = [kind, producerId, participantId, meetingId, transportId];
    return this.#db.transaction(async (tx) => {
      try {
        const { affectedRows } = await tx.execute(INSERT_PRODUCER, parameters);
        if (affectedRows > 0) return "created";
      } catch (error) {
        if (isDuplicate(error)) return "already-exists";
        throw error;
      }
      await requirePresent(tx, request);
      throw new TransportNotFoundError(participantId, "producer", transportId);
    });
  }

  /**
   * Removes those of the participant's producers that are there, and other participants' consumers of them.
   * @returns what is gone, for the node to close
   * @throws InvalidInputError: nothing was sent
   */
  async closeProducers({
    meetingId,
    participantId,
    producerIds,
  }: ParticipantScope & { readonly producerIds: readonly string[] }): Promise<ClosedMedia> {
    checkIds({ meetingId, participantId });
    const which = new Set(checkList("producerIds", producerIds).map((id) => checkId("producerIds", id)));
    if (which.size === 0) return { producerIds: [], consumerIds: [] };
    return this.#db.transaction(async (tx) => {
      await lockMeeting(tx, meetingId);
      return removeProducers(tx, { meetingId, participantId }, which);
    }, READ_COMMITTED);
  }

  /**
   * The producers of a meeting, without those of `excludeParticipantId`.
   * @throws MeetingNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async listProducers(
    meetingId: string,
    { excludeParticipantId }: { readonly excludeParticipantId?: string | undefined } = {},
  ): Promise<readonly Producer[]> {
    checkIds({ meetingId });
    if (excludeParticipantId !== undefined) checkIds({ excludeParticipantId });
    // No id is empty, so the empty string excludes nobody.
    const parameters = [excludeParticipantId ?? "", meetingId];
    const rows = await this.#db.query<Producer | { readonly producerId: null }>(PRODUCERS_OF_MEETING, parameters);
    if (rows.length === 0) throw new MeetingNotFoundError(meetingId);
    return rows.filter((row) => row.producerId !== null).map((row) => ({ ...row }));
  }

  /**
   * The participant's producers of these kinds; of a kind that they do not send there is none.
   * @throws MeetingNotFoundError, ParticipantNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async findProducerIds({
    meetingId,
    participantId,
    kinds,
  }: ParticipantScope & { readonly kinds: readonly string[] }): Promise<readonly Omit<Producer, "participantId">[]> {
    checkIds({ meetingId, participantId });
    const wanted = checkList("kinds", kinds).map((kind) => checkId("kinds", kind));
    if (wanted.length === 0) return [];
    type Row = Omit<Producer, "participantId"> | { readonly producerId: null };
    const rows = await this.#db.query<Row>(PRODUCERS_OF_KINDS, [wanted, participantId, meetingId]);
    if (rows.length === 0) await requirePresent(this.#db, { meetingId, participantId });
    return rows.filter((row) => row.producerId !== null).map((row) => ({ ...row }));
  }

  /**
   * What a node needs to create a producer and to pipe it to where it is consumed.
   * @throws MeetingNotFoundError, ParticipantNotFoundError, RouterNotFoundError, TransportNotFoundError, HostNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async producerContext({ meetingId, participantId }: ParticipantScope): Promise<ProducerContext> {
    checkIds({ meetingId, participantId });
    return findProducerContext(this.#db, { meetingId, participantId });
  }

  /**
   * Records consumers of other participants' media, all in one statement, all or none. Of each target and kind the
   * participant has one consumer: the first stays.
   * @returns for each consumer asked for, in that order, the one of its target and kind that is stored; where its id is
   *   another, the one asked for is to be closed
   * @throws MeetingNotFoundError, ParticipantNotFoundError: naming the participant or the target
   * @throws TransportNotFoundError: the participant's consumer transport is not (or no longer) this one
   * @throws IdTakenError: a consumer id belongs to another consumer
   * @throws InvalidInputError: nothing was sent
   */
  async createConsumers(request: ConsumersRequest): Promise<readonly Consumer[]> {
    const { meetingId, participantId, transportId } = request;
    checkIds({ meetingId, participantId, transportId });
    const wanted = listTargets(request.targets).map(({ targetParticipantId, item }) => ({
      targetParticipantId,
      kind: checkId("kind", item?.kind),
      consumerId: checkId("consumerId", item?.consumerId),
    }));
    if (wanted.length === 0) return [];
    return this.#db.transaction((tx) => insertConsumers(tx, request, wanted));
  }

  /**
   * Removes those of the participant's consumers that are there.
   * @returns how many those were
   * @throws InvalidInputError: nothing was sent
   */
  async closeConsumers({
    meetingId,
    participantId,
    consumerIds,
  }: ParticipantScope & { readonly consumerIds: readonly string[] }): Promise<number> {
    checkIds({ meetingId, participantId });
    const which = checkList("consumerIds", consumerIds).map((id) => checkId("consumerIds", id));
    if (which.length === 0) return 0;
    const sql = "DELETE FROM participant_consumers WHERE consumer_id IN (?) AND participant_id = ? AND meeting_id = ?";
    return this.#db.transaction(async (tx) => (await tx.execute(sql, [which, participantId, meetingId])).affectedRows);
  }

  /**
   * The participant's consumers of these targets and kinds; where they have none there is none.
   * @throws MeetingNotFoundError, ParticipantNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async findConsumerIds({
    meetingId,
    participantId,
    targets,
  }: ParticipantScope & { readonly targets: Targets }): Promise<readonly Consumer[]> {
    checkIds({ meetingId, participantId });
    const wanted = listKinds(targets);
    if (wanted.length === 0) return [];
    const consumers = await findConsumers(this.#db, { meetingId, participantId }, wanted);
    if (consumers.length === 0) await requirePresent(this.#db, { meetingId, participantId });
    return consumers;
  }

  /**
   * What a node needs to create consumers of these targets and kinds.
   * @throws MeetingNotFoundError, ParticipantNotFoundError, RouterNotFoundError, TransportNotFoundError, HostNotFoundError
   * @throws InvalidInputError: nothing was sent
   */
  async consumerContext({
    meetingId,
    participantId,
    targets,
  }: ParticipantScope & { readonly targets: Targets }): Promise<ConsumerContext> {
    checkIds({ meetingId, participantId });
    const wanted = listKinds(targets);
    return findConsumerContext(this.#db, { meetingId, participantId }, wanted);
  }
}
