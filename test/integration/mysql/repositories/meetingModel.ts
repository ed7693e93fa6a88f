import {
  IdTakenError,
  MeetingNotFoundError,
  ParticipantElsewhereError,
  ParticipantNotFoundError,
  RouterNotFoundError,
  TransportExistsError,
  TransportNotFoundError,
} from "../../../../src/errors.js";
import { fnv1a32 } from "../../../../src/mysql/repositories/fnv1a.js";
import type {
  Consumer,
  ConsumersRequest,
  MediaRepository,
  ProducerRequest,
} from "../../../../src/mysql/repositories/media.js";
import type { JoinRequest, ParticipantRepository } from "../../../../src/mysql/repositories/participants.js";
import type { MediaRole, ParticipantScope } from "../../../../src/mysql/repositories/scope.js";
import type {
  TransportRepository,
  TransportRequest,
  TransportScope,
} from "../../../../src/mysql/repositories/transports.js";
import type { RouterRow } from "./meetingRows.js";

/** What both the repositories and the model are. */
export interface Meeting {
  readonly participants: Pick<ParticipantRepository, keyof ParticipantRepository>;
  readonly transports: Pick<TransportRepository, keyof TransportRepository>;
  readonly media: Pick<MediaRepository, keyof MediaRepository>;
}

interface Present {
  readonly meetingId: string;
  readonly instanceId: string;
  readonly routers: Readonly<Record<MediaRole, string | null>>;
  readonly transports: Record<MediaRole, string | null>;
}

type ProducerFact = ProducerRequest;
type ConsumerFact = ParticipantScope & Consumer & { readonly transportId: string };
type Wanted = Omit<ConsumersRequest, "targets"> & { readonly targets: ReadonlyMap<string, readonly unknown[]> };

/** The rules of the domain over plain lists: what the repositories are compared with. */
export class MeetingModel implements Meeting {
  readonly #meetings = new Map<string, readonly RouterRow[]>();
  readonly #host: string;
  #present = new Map<string, Present>();
  #producers: ProducerFact[] = [];
  #consumers: ConsumerFact[] = [];

  constructor(host: string, meetings: readonly (readonly [meetingId: string, routers: readonly RouterRow[]])[]) {
    this.#host = host;
    for (const [meetingId, routers] of meetings) this.#meetings.set(meetingId, routers);
  }

  /** What each table holds, one text for each row, sorted. */
  tables(): Record<string, string[]> {
    const of = (role: MediaRole, field: "routers" | "transports") =>
      [...this.#present].flatMap(([id, present]) =>
        present[field][role] === null ? [] : [[id, present[field][role]]],
      );
    const rows: Record<string, readonly unknown[][]> = {
      participant_meeting: [...this.#present].map(([id, { meetingId, instanceId }]) => [id, meetingId, instanceId]),
      participant_producer_router: of("producer", "routers"),
      participant_consumer_router: of("consumer", "routers"),
      participant_producer_transport: of("producer", "transports"),
      participant_consumer_transport: of("consumer", "transports"),
      participant_producers: this.#producers.map((p) => [
        p.participantId,
        p.kind,
        p.producerId,
        p.meetingId,
        p.transportId,
      ]),
      participant_consumers: this.#consumers.map((c) => [
        c.participantId,
        c.targetParticipantId,
        c.kind,
        c.consumerId,
        c.meetingId,
        c.transportId,
      ]),
    };
    return Object.fromEntries(
      Object.entries(rows).map(([table, list]) => [table, list.map((row) => JSON.stringify(row)).sort()]),
    );
  }

  readonly participants: Meeting["participants"] = {
    allocateRouters: async ({ meetingId, participantId }) => {
      const routers = this.#routers(meetingId);
      const choose = (serves: (router: RouterRow) => boolean) => {
        const ids = routers.filter(serves).map(({ routerId }) => routerId);
        return ids.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[fnv1a32(participantId) % ids.length];
      };
      return {
        host: this.#host,
        producerRouterId: choose(isProducer) as string,
        consumerRouterId: choose(isConsumer) as string,
      };
    },
    join: async (request) => {
      const { meetingId, participantId, instanceId } = request;
      const routers = this.#routers(meetingId);
      const old = this.#present.get(participantId);
      if (old && old.meetingId !== meetingId) throw new ParticipantElsewhereError(meetingId, participantId);
      if (old?.instanceId === instanceId) return "already-joined";
      requireRouter(request, routers, "producer");
      requireRouter(request, routers, "consumer");
      if (old) this.#remove(participantId);
      this.#present.set(participantId, {
        meetingId,
        instanceId,
        routers: { producer: request.producerRouterId ?? null, consumer: request.consumerRouterId ?? null },
        transports: { producer: null, consumer: null },
      });
      return old ? "replaced-instance" : "joined";
    },
    leave: async ({ meetingId, participantId, instanceId }) => {
      const present = this.#present.get(participantId);
      if (present?.meetingId !== meetingId || present.instanceId !== instanceId) return "not-in-meeting";
      this.#remove(participantId);
      return "left";
    },
    describe: async (participantId, meetingId) => {
      const { instanceId, routers, transports } = this.#find({ meetingId, participantId });
      const isOf = (row: ParticipantScope) => row.participantId === participantId;
      return {
        meetingId,
        participantId,
        instanceId,
        host: this.#host,
        producerRouterId: routers.producer,
        consumerRouterId: routers.consumer,
        producerTransportId: transports.producer,
        consumerTransportId: transports.consumer,
        producerIds: this.#producers.filter(isOf).map(({ producerId }) => producerId),
        consumerIds: this.#consumers.filter(isOf).map(({ consumerId }) => consumerId),
      };
    },
    list: async (meetingId) => {
      this.#routers(meetingId);
      return [...this.#present].flatMap(([participantId, present]) => {
        const { instanceId, routers } = present;
        const participant = { participantId, instanceId };
        return present.meetingId === meetingId
          ? [{ ...participant, producerRouterId: routers.producer, consumerRouterId: routers.consumer }]
          : [];
      });
    },
  };

  readonly transports: Meeting["transports"] = {
    create: async (request) => {
      const { transports } = this.#find(request);
      if (transports[request.role] === request.transportId) return "already-exists";
      if (transports[request.role] !== null) throw exists(request);
      this.#requireFree(request);
      transports[request.role] = request.transportId;
      return "created";
    },
    recreate: async (request) => {
      const { role, transportId, participantId } = request;
      const { transports } = this.#find(request);
      const old = transports[role];
      if (old === transportId) return { transportId: null, producerIds: [], consumerIds: [] };
      this.#requireFree(request);
      transports[role] = transportId;
      const isOf = (row: ParticipantScope) => row.participantId === participantId;
      if (role === "producer") return { transportId: old, ...this.#closeProducers(isOf) };
      return { transportId: old, producerIds: [], consumerIds: this.#closeConsumers(isOf) };
    },
    find: async (scope) => {
      const transportId = this.#find(scope).transports[scope.role];
      if (transportId === null) throw new TransportNotFoundError(scope.participantId, scope.role);
      return transportId;
    },
  };

  readonly media: Meeting["media"] = {
    createProducer: async (request) => {
      this.#requireTransport(request, "producer", request.transportId);
      const { participantId, producerId } = request;
      if (this.#producers.some((p) => p.participantId === participantId && p.producerId === producerId))
        return "already-exists";
      this.#producers.push(request);
      return "created";
    },
    closeProducers: async ({ meetingId, participantId, producerIds }) =>
      this.#closeProducers((row) => isIn(row, { meetingId, participantId }) && producerIds.includes(row.producerId)),
    listProducers: async (meetingId, { excludeParticipantId } = {}) => {
      this.#routers(meetingId);
      return this.#producers
        .filter((row) => row.meetingId === meetingId && row.participantId !== excludeParticipantId)
        .map(({ participantId, kind, producerId }) => ({ participantId, kind, producerId }));
    },
    findProducerIds: async ({ meetingId, participantId, kinds }) => {
      if (kinds.length === 0) return [];
      this.#find({ meetingId, participantId });
      return this.#producers
        .filter((row) => row.participantId === participantId && kinds.includes(row.kind))
        .map(({ kind, producerId }) => ({ kind, producerId }));
    },
    producerContext: async (scope) => {
      const { routerId, transportId } = this.#context(scope, "producer");
      const others = this.#routers(scope.meetingId).filter((r) => isConsumer(r) && r.routerId !== routerId);
      const consumerRouterIds = others.map((router) => router.routerId);
      return { host: this.#host, producerRouterId: routerId, consumerRouterIds, transportId };
    },
    createConsumers: async (request) => {
      const { meetingId, participantId, transportId } = request;
      const wanted = pairs(request as Wanted).map(({ target, item }) => {
        return { targetParticipantId: target, ...(item as { kind: string; consumerId: string }) };
      });
      if (wanted.length === 0) return [];
      this.#find(request);
      for (const { targetParticipantId } of wanted) this.#find({ meetingId, participantId: targetParticipantId });
      this.#requireTransport(request, "consumer", transportId);
      const before = this.#consumers;
      this.#consumers = [...before];
      for (const each of wanted) this.#addConsumer({ meetingId, participantId, transportId, ...each });
      return wanted.map((consumer) => {
        const stored = this.#consumers.find((c) => c.participantId === participantId && sameTarget(c, consumer));
        if (stored) return { ...consumer, consumerId: stored.consumerId };
        this.#consumers = before;
        throw new IdTakenError(`consumerId ${JSON.stringify(consumer.consumerId)}`);
      });
    },
    closeConsumers: async ({ meetingId, participantId, consumerIds }) =>
      this.#closeConsumers((row) => isIn(row, { meetingId, participantId }) && consumerIds.includes(row.consumerId))
        .length,
    findConsumerIds: async ({ meetingId, participantId, targets }) => {
      const wanted = pairs({ targets } as Wanted);
      if (wanted.length === 0) return [];
      this.#find({ meetingId, participantId });
      return this.#consumers
        .filter((row) => row.participantId === participantId && isWanted(wanted, row.targetParticipantId, row.kind))
        .map(({ targetParticipantId, kind, consumerId }) => ({ targetParticipantId, kind, consumerId }));
    },
    consumerContext: async ({ meetingId, participantId, targets }) => {
      const { routerId, transportId } = this.#context({ meetingId, participantId }, "consumer");
      const wanted = pairs({ targets } as Wanted);
      const producers = this.#producers
        .filter((row) => row.meetingId === meetingId && isWanted(wanted, row.participantId, row.kind))
        .map((row) => ({ targetParticipantId: row.participantId, kind: row.kind, producerId: row.producerId }));
      return { host: this.#host, consumerRouterId: routerId, transportId, producers };
    },
  };

  #routers(meetingId: string): readonly RouterRow[] {
    const routers = this.#meetings.get(meetingId);
    if (!routers) throw new MeetingNotFoundError(meetingId);
    return routers;
  }

  #find({ meetingId, participantId }: ParticipantScope): Present {
    this.#routers(meetingId);
    const present = this.#present.get(participantId);
    if (present?.meetingId !== meetingId) throw new ParticipantNotFoundError(meetingId, participantId);
    return present;
  }

  #context(scope: ParticipantScope, role: MediaRole): { routerId: string; transportId: string } {
    const { routers, transports } = this.#find(scope);
    const [routerId, transportId] = [routers[role], transports[role]];
    if (routerId === null) throw new RouterNotFoundError(scope.meetingId, role);
    if (transportId === null) throw new TransportNotFoundError(scope.participantId, role);
    return { routerId, transportId };
  }

  #requireTransport(scope: ParticipantScope, role: MediaRole, transportId: string): void {
    if (this.#find(scope).transports[role] !== transportId)
      throw new TransportNotFoundError(scope.participantId, role, transportId);
  }

  #requireFree(request: TransportRequest): void {
    for (const { transports } of this.#present.values())
      if (transports[request.role] === request.transportId) throw exists(request);
  }

  #addConsumer(consumer: ConsumerFact): void {
    const isThere = this.#consumers.some(
      (row) =>
        row.consumerId === consumer.consumerId ||
        (row.participantId === consumer.participantId && sameTarget(row, consumer)),
    );
    if (!isThere) this.#consumers.push(consumer);
  }

  #closeProducers(which: (row: ProducerFact) => boolean) {
    const closing = this.#producers.filter(which);
    this.#producers = this.#producers.filter((row) => !which(row));
    const isGone = (row: ConsumerFact) => {
      const isSent = ({ participantId, kind }: ProducerFact) =>
        participantId === row.targetParticipantId && kind === row.kind;
      return closing.some(isSent) && !this.#producers.some(isSent);
    };
    return { producerIds: closing.map(({ producerId }) => producerId), consumerIds: this.#closeConsumers(isGone) };
  }

  #closeConsumers(which: (row: ConsumerFact) => boolean): string[] {
    const closing = this.#consumers.filter(which);
    this.#consumers = this.#consumers.filter((row) => !which(row));
    return closing.map(({ consumerId }) => consumerId);
  }

  #remove(participantId: string): void {
    this.#present.delete(participantId);
    this.#producers = this.#producers.filter((row) => row.participantId !== participantId);
    this.#closeConsumers((row) => [row.participantId, row.targetParticipantId].includes(participantId));
  }
}

const isProducer = ({ producer, both }: RouterRow) => producer !== undefined || both !== undefined;
const isConsumer = ({ consumer, both }: RouterRow) => consumer !== undefined || both !== undefined;

function requireRouter(request: JoinRequest, routers: readonly RouterRow[], role: MediaRole): void {
  const routerId = role === "producer" ? request.producerRouterId : request.consumerRouterId;
  const serves = role === "producer" ? isProducer : isConsumer;
  if (routerId !== undefined && !routers.some((router) => router.routerId === routerId && serves(router)))
    throw new RouterNotFoundError(request.meetingId, role, routerId);
}

function exists({ participantId, role, transportId }: TransportScope & { transportId: string }): TransportExistsError {
  return new TransportExistsError(participantId, role, transportId);
}

function isIn(row: ParticipantScope, { meetingId, participantId }: ParticipantScope): boolean {
  return row.meetingId === meetingId && row.participantId === participantId;
}

function sameTarget(a: Omit<Consumer, "consumerId">, b: Omit<Consumer, "consumerId">): boolean {
  return a.targetParticipantId === b.targetParticipantId && a.kind === b.kind;
}

function pairs({ targets }: Pick<Wanted, "targets">): { target: string; item: unknown }[] {
  return [...targets].flatMap(([target, items]) => items.map((item) => ({ target, item })));
}

function isWanted(wanted: readonly { target: string; item: unknown }[], target: string, kind: string): boolean {
  return wanted.some((each) => each.target === target && each.item === kind);
}
