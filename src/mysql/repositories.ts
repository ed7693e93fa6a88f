import type { DataSource } from "typeorm";
import {
  ContainerHeartbeat,
  ContainerStatus,
  MeetingStatus,
  ParticipantConsumer,
  ParticipantConsumerRouter,
  ParticipantConsumerTransport,
  ParticipantMeeting,
  ParticipantProducer,
  ParticipantProducerRouter,
  ParticipantProducerTransport,
  RouterMeeting,
  RouterWorker,
  WorkerContainer,
} from "./entities/index.js";

export type EntityRepositories = ReturnType<typeof entityRepositories>;

/** TypeORM's repository of each table, outside a transaction; inside one use `tx.manager`. */
export function entityRepositories(dataSource: DataSource) {
  return Object.freeze({
    containerHeartbeats: dataSource.getRepository(ContainerHeartbeat),
    containerStatuses: dataSource.getRepository(ContainerStatus),
    workerContainers: dataSource.getRepository(WorkerContainer),
    routerWorkers: dataSource.getRepository(RouterWorker),
    meetingStatuses: dataSource.getRepository(MeetingStatus),
    routerMeetings: dataSource.getRepository(RouterMeeting),
    participantMeetings: dataSource.getRepository(ParticipantMeeting),
    participantProducerRouters: dataSource.getRepository(ParticipantProducerRouter),
    participantConsumerRouters: dataSource.getRepository(ParticipantConsumerRouter),
    participantProducerTransports: dataSource.getRepository(ParticipantProducerTransport),
    participantConsumerTransports: dataSource.getRepository(ParticipantConsumerTransport),
    participantProducers: dataSource.getRepository(ParticipantProducer),
    participantConsumers: dataSource.getRepository(ParticipantConsumer),
  });
}
