import { expect } from "chai";
import {
  type Container,
  createContainer,
  InvalidInputError,
  loadConfig,
  MeetingNotFoundError,
  type MeetingSnapshot,
  type Signal,
  type SubscriptionEvent,
} from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../src/testing/index.js";
import { recordingLogger } from "../../support/recordingLogger.js";

const PEOPLE = 8;
const CHANGES_EACH = 25;

describe("A meeting's snapshot", function () {
  this.timeout(120_000);
  let mysql: MysqlServer;
  let redis: RedisServer;
  let container: Container;

  before(async () => {
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    const { environment } = await createDatabase({ ...mysql.environment, ...redis.environment });
    container = createContainer(loadConfig(environment), { logger: recordingLogger(), migrations: "run" });
    await container.start();
    await container.repositories.fleet.registerContainer({
      containerId: "node",
      host: "h",
      tenant: "t",
      workerIds: ["w1", "w2"],
    });
  });

  after(async () => {
    await container?.stop();
    await Promise.all([mysql?.stop(), redis?.stop()]);
  });

  const create = (meetingId: string) =>
    container.repositories.meetings.create({
      meetingId,
      containerId: "node",
      routers: [
        { routerId: `${meetingId}-p`, workerId: "w1", producerCapacity: 10 },
        { routerId: `${meetingId}-c`, workerId: "w2", consumerCapacity: 10 },
      ],
    });

  it("is the meeting's state, and the end of its stream before that", async () => {
    await create("told");
    expect(await container.signals.snapshot("told")).to.deep.include({ cursor: "0-0" });
    await container.repositories.participants.join({ meetingId: "told", participantId: "p", instanceId: "i" });
    const { entryId } = await container.signals.publish(joined("told", "p"));
    const { meeting, cursor } = await container.signals.snapshot("told");
    expect(meeting).to.deep.equal(await container.repositories.meetings.describe("told"));
    expect(cursor).to.equal(entryId);
  });

  it("is refused where there is no meeting", async () => {
    const errors = await Promise.all(
      ["none", "{"].map((id) => container.signals.snapshot(id).catch((error: unknown) => error)),
    );
    expect(errors[0]).to.be.instanceOf(MeetingNotFoundError);
    expect(errors[1]).to.be.instanceOf(InvalidInputError);
  });

  it("and the signals after its cursor contain every change, whenever a client comes", async () => {
    await create("lively");
    const people = Array.from({ length: PEOPLE }, (_, i) => comeAndGo("lively", `p${i}`));
    let over = false;
    const changes = Promise.all(people).then(() => {
      over = true;
    });
    const clients: Client[] = [];
    while (!over) clients.push(await Client.connect(container, "lively"));
    await changes;
    const end = await container.signals.cursor("lively");
    const { participants } = await container.repositories.meetings.describe("lively");
    const present = participants.map(({ participantId }) => participantId).sort();
    expect(present).to.have.length(PEOPLE / 2);
    for (const client of clients) expect(await client.presentAt(end)).to.deep.equal(present);
    expect(clients.filter(({ heard }) => heard > PEOPLE).length, "clients that came early enough").to.be.above(10);
  });

  /** Joins and leaves by turns, and says so after each commit; every second one stays in the end. */
  async function comeAndGo(meetingId: string, participantId: string): Promise<void> {
    const scope = { meetingId, participantId, instanceId: "i" };
    const { participants } = container.repositories;
    const stays = Number(participantId.slice(1)) % 2 === 0;
    for (let i = 0; i < CHANGES_EACH + (stays ? 0 : 1); i += 1) {
      if (i % 2 === 0) await participants.join(scope);
      else await participants.leave(scope);
      await container.signals.publish(i % 2 === 0 ? joined(meetingId, participantId) : left(meetingId, participantId));
    }
  }
});

function joined(meetingId: string, senderId: string): Signal {
  return { type: "DoordarshanUserJoined", meetingId, senderId, payload: { userJoinedReason: "joined" } };
}

function left(meetingId: string, senderId: string): Signal {
  return { type: "DoordarshanUserLeft", meetingId, senderId, payload: { userLeftReason: "left", instanceId: "i" } };
}

/** Who has taken a snapshot and follows the signals from there. */
class Client {
  readonly #present: Set<string>;
  #cursor: string;
  #onSignal: () => void = () => undefined;
  heard = 0;

  private constructor({ meeting, cursor }: MeetingSnapshot) {
    this.#present = new Set(meeting.participants.map(({ participantId }) => participantId));
    this.#cursor = cursor;
  }

  static async connect({ signals }: Container, meetingId: string): Promise<Client> {
    const snapshot = await signals.snapshot(meetingId);
    const client = new Client(snapshot);
    await signals.subscribe(meetingId, { from: snapshot.cursor, handler: (event) => client.#hear(event) });
    return client;
  }

  /** Who is present by all that was told up to the entry. */
  async presentAt(entryId: string): Promise<string[]> {
    while (this.#cursor !== entryId)
      await new Promise<void>((resolve) => {
        this.#onSignal = resolve;
      });
    return [...this.#present].sort();
  }

  #hear(event: SubscriptionEvent): void {
    if (event.kind !== "signal") throw new Error(`unexpected ${event.kind}`);
    if (event.type === "DoordarshanUserJoined") this.#present.add(event.senderId);
    else this.#present.delete(event.senderId);
    this.heard += 1;
    this.#cursor = event.entryId;
    this.#onSignal();
  }
}
