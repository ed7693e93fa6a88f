import type { Container } from "../container/container.js";
import { entities } from "../mysql/entities/index.js";
import type { Signal } from "../redis/signals/types.js";
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
  readonly #producerMap: Record<string, string>;

  constructor(
    private readonly container: Container,
    private readonly story: Story,
    readonly meetingId: string,
  ) {
    this.#producerMap = Object.fromEntries(KINDS.map((kind) => [kind, `${meetingId}-asha-${kind}`]));
  }

  async tell(): Promise<void> {
    await this.#registerNodes();
    await this.#createMeeting();
    await this.#join("asha", "laptop");
    await this.#join("ravi", "phone");
    await this.#produce("asha");
    await this.#consume("ravi", "asha");
    await this.#unpublish("asha");
    await this.#leave("ravi", "phone");
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
    const placed = await fleet.allocate({
      tenant: TENANT,
      ...meetings.calculateCapacity({ publishers: 1, viewers: 1 }),
    });
    this.story.done(placed.reason);
    const { producer, consumers, containerId, reservationId } = placed;
    const routers = [
      { routerId: `${meetingId}-rp`, workerId: producer.workerId, producerCapacity: producer.capacity },
      ...consumers.map(({ workerId, capacity }, index) => ({
        routerId: `${meetingId}-rc${index}`,
        workerId,
        consumerCapacity: capacity,
      })),
    ];
    this.story.done(
      `${await meetings.create({ meetingId, containerId, reservationId, routers })}, its reservation spent`,
    );
    for (const { routerId, workerId } of routers) this.story.done(`router ${routerId} on ${workerId}`);
  }

  async #join(participantId: string, instanceId: string): Promise<void> {
    const { participants } = this.container.repositories;
    const { meetingId } = this;
    this.story.step(`${participantId} joins from a ${instanceId}`);
    const { host, ...routers } = await participants.allocateRouters({ meetingId, participantId });
    const outcome = await participants.join({ meetingId, participantId, instanceId, ...routers });
    this.story.done(`${outcome}, on ${host}`);
    const payload = { userJoinedReason: "joined" };
    await this.#signal({ type: "DoordarshanUserJoined", meetingId, senderId: participantId, payload });
  }

  async #produce(participantId: string): Promise<void> {
    const { transports, media } = this.container.repositories;
    const { meetingId } = this;
    const transportId = `${meetingId}-${participantId}-send`;
    this.story.step(`${participantId} publishes audio and video`);
    await transports.create({ role: "producer", meetingId, participantId, transportId });
    for (const kind of KINDS) {
      const producerId = this.#producerMap[kind] as string;
      await media.createProducer({ meetingId, participantId, kind, producerId, transportId });
    }
    const payload = { publishReason: "camera on", producerMap: this.#producerMap, participantId };
    await this.#signal({ type: "DoordarshanStreamPublish", meetingId, senderId: participantId, payload });
  }

  async #consume(participantId: string, targetId: string): Promise<void> {
    const { transports, media } = this.container.repositories;
    const { meetingId } = this;
    const transportId = `${meetingId}-${participantId}-receive`;
    this.story.step(`${participantId} consumes both`);
    await transports.create({ role: "consumer", meetingId, participantId, transportId });
    const wanted = KINDS.map((kind) => ({ kind, consumerId: `${meetingId}-${participantId}-${kind}` }));
    const consumers = await media.createConsumers({
      meetingId,
      participantId,
      transportId,
      targets: { [targetId]: wanted },
    });
    for (const { kind, consumerId } of consumers) this.story.done(`${kind} of ${targetId} as ${consumerId}`);
  }

  async #unpublish(participantId: string): Promise<void> {
    const { meetingId } = this;
    this.story.step(`${participantId} stops publishing`);
    const producerIds = Object.values(this.#producerMap);
    const closed = await this.container.repositories.media.closeProducers({ meetingId, participantId, producerIds });
    this.story.done(`${closed.producerIds.length} producers and ${closed.consumerIds.length} consumers are closed`);
    const payload = { unPublishReason: "camera off", producerMap: this.#producerMap, participantId };
    await this.#signal({ type: "DoordarshanStreamUnPublish", meetingId, senderId: participantId, payload });
  }

  async #leave(participantId: string, instanceId: string): Promise<void> {
    const { meetingId } = this;
    this.story.step(`${participantId} leaves; then the node is lost`);
    this.story.done(await this.container.repositories.participants.leave({ meetingId, participantId, instanceId }));
    const payload = { userLeftReason: "hung up", instanceId };
    await this.#signal({ type: "DoordarshanUserLeft", meetingId, senderId: participantId, payload });
    const lost = { disconnectReason: "node lost" };
    await this.#signal({ type: "DoordarshanDisconnect", meetingId, senderId: "system", payload: lost });
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
    this.story.step("The meeting ends");
    this.story.done(await this.container.repositories.meetings.end(this.meetingId));
    for (const entity of MEETING_TABLES) {
      const rows = await this.container.dataSource.manager.count(entity);
      if (rows > 0) throw new Error(`${entity.name} still has ${rows} rows`);
    }
    this.story.done("none of its rows is left in any table");
  }

  async #signal(signal: Signal): Promise<void> {
    const { entryId } = await this.container.signals.publish(signal);
    this.story.done(`${signal.type} is stored as ${entryId}`);
  }
}
