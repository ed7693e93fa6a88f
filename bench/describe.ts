import type { RowDataPacket } from "mysql2";
import type { Pool } from "mysql2/promise";
import type { Ground } from "./ground.js";
import { measureTogether, medianOf, ratioOf } from "./measure.js";
import { KINDS, type SeededMeeting, seedMeeting } from "./seed.js";
import { bytes, type Line, ms, times } from "./table.js";

/**
 * Today's way: one statement, whose joins multiply routers, producers and consumers of each person. How much of each is
 * told is not known, so it is measured with the ids alone, with kinds and targets too, and with all that `describe` tells.
 * The second comes nearest to what is known of today's answers: 8.6 MB for 100 people on one router (8.7 are known), and
 * 173 MB for 200 on five (194).
 */
const TOLD = {
  ids: ["router.router_id", "producer.producer_id", "consumer.consumer_id"],
  kinds: [
    "router.router_id",
    "JSON_OBJECT('id', producer.producer_id, 'kind', producer.kind)",
    "JSON_OBJECT('id', consumer.consumer_id, 'kind', consumer.kind, 'target', consumer.target_participant_id)",
  ],
  all: [
    `JSON_OBJECT('id', router.router_id, 'worker', placed.worker_id, 'producer', router.producer_capacity,
      'consumer', router.consumer_capacity, 'capacity', router.capacity)`,
    "JSON_OBJECT('id', producer.producer_id, 'kind', producer.kind, 'transport', producer.transport_id)",
    `JSON_OBJECT('id', consumer.consumer_id, 'kind', consumer.kind, 'target', consumer.target_participant_id,
      'transport', consumer.transport_id)`,
  ],
} as const;

function joined(told: keyof typeof TOLD): string {
  const [router, producer, consumer] = TOLD[told];
  return `SELECT container.container_id, container.host, person.participant_id, person.instance_id,
      send.transport_id AS producer_transport_id, receive.transport_id AS consumer_transport_id,
      JSON_ARRAYAGG(${router}) AS routers, JSON_ARRAYAGG(${producer}) AS producers, JSON_ARRAYAGG(${consumer}) AS consumers
    FROM container_heartbeat container
      JOIN worker_container worker ON worker.container_id = container.container_id
      JOIN router_worker placed ON placed.worker_id = worker.worker_id
      JOIN router_meeting router ON router.router_id = placed.router_id
      JOIN participant_meeting person ON person.meeting_id = router.meeting_id
      LEFT JOIN participant_producer_transport send ON send.participant_id = person.participant_id
      LEFT JOIN participant_consumer_transport receive ON receive.participant_id = person.participant_id
      LEFT JOIN participant_producers producer ON producer.participant_id = person.participant_id
      LEFT JOIN participant_consumers consumer ON consumer.participant_id = person.participant_id
    WHERE router.meeting_id = ?
    GROUP BY container.container_id, container.host, person.participant_id, person.instance_id,
      send.transport_id, receive.transport_id`;
}

const AGAINST = [
  { people: 100, routers: 3, bar: 10, rounds: 7 },
  { people: 200, routers: 5, bar: 50, rounds: 3 },
] as const;
const NAMES = { ids: "ids only", kinds: "ids, kinds and targets", all: "the same content" } as const;

export async function compareDescribe(ground: Ground): Promise<Line[]> {
  const lines: Line[] = [];
  for (const size of AGAINST) {
    const { people, routers } = size;
    const { meetingId } = await seedMeeting(ground.raw, { name: `${people}x${routers}`, people, routers });
    for (const told of ["ids", "kinds", "all"] as const)
      lines.push(await compareWithJoined(ground, meetingId, told, size));
  }
  return lines;
}

async function compareWithJoined(
  { repositories, raw }: Ground,
  meetingId: string,
  told: keyof typeof TOLD,
  { people, routers, bar, rounds }: (typeof AGAINST)[number],
): Promise<Line> {
  const sql = joined(told);
  const ours = { run: () => repositories.meetings.describe(meetingId) };
  const today = { run: () => raw.query(sql, [meetingId]) };
  const measured = await measureTogether({ ours, today }, { rounds, calls: 1 });
  const speed = ratioOf(measured.today, measured.ours);
  return {
    operation: `describe, ${people} people on ${routers} routers`,
    ours: `${ms(medianOf(measured.ours))}, ${bytes(await bytesOf(raw, ours.run))}`,
    other: `joined, ${NAMES[told]}: ${ms(medianOf(measured.today))}, ${bytes(await bytesOf(raw, today.run))}`,
    ratio: `${times(speed)} faster`,
    bar: `≥ ${bar} × faster`,
    passed: speed >= bar,
  };
}

/** What `work` makes the server send; nobody else may be asking it meanwhile. */
async function bytesOf(raw: Pool, work: () => Promise<unknown>): Promise<number> {
  const sent = async () => {
    const [rows] = await raw.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Bytes_sent'");
    return Number(rows[0]?.Value);
  };
  const before = await sent();
  await work();
  return (await sent()) - before;
}

const SIZES = [25, 50, 100, 200] as const;
/** By how much time and bytes of one consumer may grow with the meeting and still be called the same. */
const LINEAR = 1.25;

export async function showLinearity({ repositories, raw }: Ground): Promise<Line[]> {
  const meetings = new Map<number, SeededMeeting>();
  for (const people of SIZES)
    meetings.set(people, await seedMeeting(raw, { name: `linear${people}`, people, routers: 3 }));
  const describe = (people: number) => repositories.meetings.describe(meetings.get(people)?.meetingId ?? "");
  const contenders = Object.fromEntries(SIZES.map((people) => [people, { run: () => describe(people) }]));
  const measured = await measureTogether(contenders, { rounds: 10, calls: 1 });
  const costs: { people: number; consumers: number; time: number; sent: number; each: number; bytesEach: number }[] =
    [];
  for (const people of SIZES) {
    const consumers = people * (people - 1) * KINDS.length;
    const time = medianOf(measured[people] ?? []);
    const sent = await bytesOf(raw, () => describe(people));
    costs.push({ people, consumers, time, sent, each: time / consumers, bytesEach: sent / consumers });
  }
  return costs.map((cost, index) => {
    const smaller = costs[index - 1];
    const growth = smaller && { time: cost.each / smaller.each, bytes: cost.bytesEach / smaller.bytesEach };
    return {
      operation: `describe, ${cost.people} people: ${cost.consumers} consumers`,
      ours: `${ms(cost.time)}, ${bytes(cost.sent)}`,
      other: `each consumer: ${(cost.each * 1e3).toFixed(1)} µs, ${cost.bytesEach.toFixed(0)} B`,
      ratio: growth ? `${times(growth.time)} time, ${times(growth.bytes)} bytes each` : "",
      bar: growth ? `≤ ${LINEAR} × that of half the people` : "",
      ...(growth && { passed: growth.time <= LINEAR && growth.bytes <= LINEAR }),
    };
  });
}
