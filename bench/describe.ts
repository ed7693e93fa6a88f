import type { RowDataPacket } from "mysql2";
import type { Pool } from "mysql2/promise";
import type { Ground } from "./ground.js";
import { measureTogether, medianOf, ratioOf } from "./measure.js";
import { KINDS, type SeededMeeting, seedMeeting } from "./seed.js";
import { bytes, type Line, ms, times } from "./table.js";

/** Today's way: one statement, whose joins multiply routers, producers and consumers of each person. */
const JOINED = `SELECT container.container_id, container.host, person.participant_id, person.instance_id,
    send.transport_id AS producer_transport_id, receive.transport_id AS consumer_transport_id,
    JSON_ARRAYAGG(router.router_id) AS router_ids, JSON_ARRAYAGG(producer.producer_id) AS producer_ids,
    JSON_ARRAYAGG(consumer.consumer_id) AS consumer_ids
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

export async function compareDescribe({ repositories, raw }: Ground): Promise<Line[]> {
  const against = [
    { people: 100, routers: 3, bar: 10, rounds: 10 },
    { people: 200, routers: 5, bar: 50, rounds: 3 },
  ];
  const lines: Line[] = [];
  for (const { people, routers, bar, rounds } of against) {
    const { meetingId } = await seedMeeting(raw, { name: `${people}x${routers}`, people, routers });
    const describe = () => repositories.meetings.describe(meetingId);
    const joined = () => raw.query(JOINED, [meetingId]);
    const measured = await measureTogether({ ours: { run: describe }, joined: { run: joined } }, { rounds, calls: 1 });
    const speed = ratioOf(measured.joined, measured.ours);
    lines.push({
      operation: `describe, ${people} people on ${routers} routers`,
      ours: `${ms(medianOf(measured.ours))}, ${bytes(await bytesOf(raw, describe))}`,
      other: `joined query: ${ms(medianOf(measured.joined))}, ${bytes(await bytesOf(raw, joined))}`,
      ratio: `${times(speed)} faster`,
      bar: `≥ ${bar} × faster`,
      passed: speed >= bar,
    });
  }
  return lines;
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
