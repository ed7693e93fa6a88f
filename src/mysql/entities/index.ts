import { ContainerHeartbeat } from "./containerHeartbeat.js";
import { ContainerLoad } from "./containerLoad.js";
import { ContainerStatus } from "./containerStatus.js";
import { MeetingStatus } from "./meetingStatus.js";
import { ParticipantConsumer } from "./participantConsumer.js";
import { ParticipantConsumerRouter } from "./participantConsumerRouter.js";
import { ParticipantConsumerTransport } from "./participantConsumerTransport.js";
import { ParticipantMeeting } from "./participantMeeting.js";
import { ParticipantProducer } from "./participantProducer.js";
import { ParticipantProducerRouter } from "./participantProducerRouter.js";
import { ParticipantProducerTransport } from "./participantProducerTransport.js";
import { PlacementReservation } from "./placementReservation.js";
import { RouterMeeting } from "./routerMeeting.js";
import { RouterWorker } from "./routerWorker.js";
import { WorkerContainer } from "./workerContainer.js";
import { WorkerLoad } from "./workerLoad.js";

export {
  ContainerHeartbeat,
  ContainerLoad,
  ContainerStatus,
  MeetingStatus,
  ParticipantConsumer,
  ParticipantConsumerRouter,
  ParticipantConsumerTransport,
  ParticipantMeeting,
  ParticipantProducer,
  ParticipantProducerRouter,
  ParticipantProducerTransport,
  PlacementReservation,
  RouterMeeting,
  RouterWorker,
  WorkerContainer,
  WorkerLoad,
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
  WorkerLoad,
  ContainerLoad,
  PlacementReservation,
] as const;
