import { ContainerHeartbeat } from "./containerHeartbeat.js";
import { ContainerStatus } from "./containerStatus.js";
import { MeetingStatus } from "./meetingStatus.js";
import { ParticipantConsumer } from "./participantConsumer.js";
import { ParticipantConsumerRouter } from "./participantConsumerRouter.js";
import { ParticipantConsumerTransport } from "./participantConsumerTransport.js";
import { ParticipantMeeting } from "./participantMeeting.js";
import { ParticipantProducer } from "./participantProducer.js";
import { ParticipantProducerRouter } from "./participantProducerRouter.js";
import { ParticipantProducerTransport } from "./participantProducerTransport.js";
import { RouterMeeting } from "./routerMeeting.js";
import { RouterWorker } from "./routerWorker.js";
import { WorkerContainer } from "./workerContainer.js";

export {
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
};

/** Every entity, parents before children. */
export const entities = [
  ContainerHeartbeat,
  ContainerStatus,
  WorkerContainer,
  RouterWorker,
  MeetingStatus,
  RouterMeeting,
  ParticipantMeeting,
  ParticipantProducerRouter,
  ParticipantConsumerRouter,
  ParticipantProducerTransport,
  ParticipantConsumerTransport,
  ParticipantProducer,
  ParticipantConsumer,
] as const;
