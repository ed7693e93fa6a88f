import type { Container } from "../container/container.js";
import {
  entities,
  ParticipantConsumer,
  ParticipantConsumerRouter,
  ParticipantConsumerTransport,
  ParticipantMeeting,
  ParticipantProducer,
  ParticipantProducerRouter,
  ParticipantProducerTransport,
} from "../mysql/entities/index.js";
import type { Story } from "./story.js";

const NODES = [
  { containerId: "node-a-1732312345", host: "10.0.0.1", workerIds: ["node-a-w1", "node-a-w2"] },
  { containerId: "node-b-1732312399", host: "10.0.0.2", workerIds: ["node-b-w1", "node-b-w2"] },
] as const;
const TENANT = "demo";
const MEETING_TABLES = entities.filter(({ name }) => !/^(?:Container|Worker)/.test(name));
const KINDS = ["audio", "video"] as const;

/** One meeting's life, told as it happens: Asha speaks, Ravi watches, the node is lost and the meeting ends. */
export class MeetingLife {
  readonly #producerRouter: string;
  readonly #consumerRouter: string;
  readonly #producerMap: Record<string, string>;

  constructor(
    private readonly container: Container,
    private readonly story: Story,
    readonly meetingId: string,
  ) {
    this.#producerRouter = `${meetingId}-rp`;
    this.#consumerRouter = `${meetingId}-rc`;
    this.#producerMap = Object.fromEntries(KINDS.map((kind) => [kind, `${meetingId}-asha-${kind}`]));
  }

  async tell(): Promise<void> {
    await this.#registerNodes();
    await this.#createMeeting();
    await this.#join("asha", "laptop");
    await this.#join("ravi", "phone");
    await this.#publish();
    await this.#consume();
    await this.#unpublish();
    await this.#leave();
    await this.#readBack();
    await this.#end();
  }

  async #registerNodes(): Promise<void> {
    this.story.step("Two media nodes register");
    for (const node of NODES) {
      await this.container.repositories.fleet.registerContainer({ ...node, tenant: TENANT });
      this.story.done(`${node.containerId} at ${node.host} with the workers ${node.workerIds.join(", ")}`);
    }
  }

  async #createMeeting(): Promise<void> {
    const { fleet, meetings } = this.container.repositories;
    const { meetingId } = this;
    this.story.step(`The meeting ${meetingId} is placed and created`);
    const demand = meetings.calculateCapacity({ publishers: 1, viewers: 1 });
    const placed = await fleet.allocate({ tenant: TENANT, ...demand });
    this.story.done(placed.reason);
    const consumers = placed.consumers.map(({ workerId, capacity }) => ({
      routerId: this.#consumerRouter,
      workerId,
      consumerCapacity: capacity,
    }));
    const { workerId, capacity } = placed.producer;
    const producers = { routerId: this.#producerRouter, workerId, producerCapacity: capacity };
    await meetings.create({ ...placed, meetingId, routers: [producers, ...consumers] });
    this.story.done(
      `producers on ${this.#producerRouter}, consumers on ${this.#consumerRouter}: two workers of ${placed.containerId}`,
    );
  }

  async #join(participantId: string, instanceId: string): Promise<void> {
    const { meetingId } = this;
    this.story.step(`${participantId} joins from a ${instanceId}`);
    await this.container.transaction(async ({ manager }) => {
      await manager.insert(ParticipantMeeting, { meetingId, participantId, instanceId });
      await manager.insert(ParticipantProducerRouter, { participantId, routerId: this.#producerRouter });
      await manager.insert(ParticipantConsumerRouter, { participantId, routerId: this.#consumerRouter });
    });
    const type = "DoordarshanUserJoined";
    this.#sent(
      type,
      await this.container.signals.publish({
        type,
        meetingId,
        senderId: participantId,
        payload: { userJoinedReason: "joined" },
      }),
    );
  }

  async #publish(): Promise<void> {
    const { meetingId } = this;
    const [participantId, transportId] = ["asha", `${meetingId}-asha-send`];
    this.story.step("asha publishes audio and video");
    await this.container.transaction(async ({ manager }) => {
      await manager.insert(ParticipantProducerTransport, { participantId, transportId });
      const rows = KINDS.map((kind) => ({
        participantId,
        meetingId,
        transportId,
        kind,
        producers: 1,
        producerId: this.#producerMap[kind] as string,
      }));
      await manager.insert(ParticipantProducer, rows);
    });
    const type = "DoordarshanStreamPublish";
    const payload = { publishReason: "camera on", producerMap: this.#producerMap, participantId };
    this.#sent(type, await this.container.signals.publish({ type, meetingId, senderId: participantId, payload }));
  }

  async #consume(): Promise<void> {
    const { meetingId } = this;
    const [participantId, transportId] = ["ravi", `${meetingId}-ravi-receive`];
    this.story.step("ravi consumes both");
    await this.container.transaction(async ({ manager }) => {
      await manager.insert(ParticipantConsumerTransport, { participantId, transportId });
      const shared = { participantId, targetParticipantId: "asha", meetingId, transportId, consumers: 1 };
      await manager.insert(
        ParticipantConsumer,
        KINDS.map((kind) => ({ ...shared, kind, consumerId: `${meetingId}-ravi-${kind}` })),
      );
    });
    const { consumers } = await this.container.repositories.meetings.describe(meetingId);
    this.story.done(`${consumers.length} consumers in the meeting`);
  }

  async #unpublish(): Promise<void> {
    const { meetingId } = this;
    this.story.step("asha stops publishing");
    await this.container.transaction(async ({ manager }) => {
      await manager.delete(ParticipantConsumer, { meetingId, targetParticipantId: "asha" });
      await manager.delete(ParticipantProducer, { meetingId, participantId: "asha" });
    });
    const type = "DoordarshanStreamUnPublish";
    const payload = { unPublishReason: "camera off", producerMap: this.#producerMap, participantId: "asha" };
    this.#sent(type, await this.container.signals.publish({ type, meetingId, senderId: "asha", payload }));
  }

  async #leave(): Promise<void> {
    const { meetingId } = this;
    this.story.step("ravi leaves; then the node is lost");
    await this.container.repositories.participants.leave({ meetingId, participantId: "ravi", instanceId: "phone" });
    const left = "DoordarshanUserLeft";
    const payload = { userLeftReason: "hung up", instanceId: "phone" };
    this.#sent(left, await this.container.signals.publish({ type: left, meetingId, senderId: "ravi", payload }));
    const lost = "DoordarshanDisconnect";
    this.#sent(
      lost,
      await this.container.signals.publish({
        type: lost,
        meetingId,
        senderId: "system",
        payload: { disconnectReason: "node lost" },
      }),
    );
  }

  async #readBack(): Promise<void> {
    const stream = `room-stream:${this.meetingId}`;
    this.story.step(`${stream} is read back`);
    for (const entry of await this.container.signals.read(this.meetingId)) {
      if (entry.kind === "unrecognised") throw new Error(`${entry.id} is not a signal: ${entry.reason}`);
      this.story.done(`${entry.id}  ${entry.type} from ${entry.senderId}`);
    }
    const [first] = await this.container.redis.readStream(stream, { count: 1 });
    this.story.progress(`the first as redis-cli XRANGE ${stream} - + COUNT 1 shows it:`);
    for (const [field, value] of Object.entries(first?.fields ?? {})) this.story.progress(`  ${field}: ${value}`);
  }

  async #end(): Promise<void> {
    const { meetingId } = this;
    this.story.step("The meeting ends");
    await this.container.repositories.meetings.end(meetingId);
    for (const entity of MEETING_TABLES) {
      const rows = await this.container.dataSource.manager.count(entity);
      if (rows > 0) throw new Error(`${entity.name} still has ${rows} rows`);
    }
    this.story.done("none of its rows is left in any table");
  }

  #sent(type: string, { entryId }: { entryId: string }): void {
    this.story.done(`${type} is stored as ${entryId}`);
  }
}
