import type { Pool } from "mysql2/promise";
import type { Ground } from "./ground.js";
import { measureTogether, medianOf, ratioOf } from "./measure.js";
import { CONSUMER_COLUMNS, consumerRows, insert, type SeededMeeting, seedMeeting, transportOf } from "./seed.js";
import { type Line, ms, times } from "./table.js";

const CREATE_BAR = 1.3;
const CLOSE_BAR = 1.25;
const INSERT = `INSERT INTO participant_consumers (${CONSUMER_COLUMNS}) VALUES ?`;
const DELETE = "DELETE FROM participant_consumers WHERE participant_id = ? AND consumer_id IN (?)";

/** Someone who consumes audio and video of a hundred others: 200 rows. */
export async function compareCreateConsumers({ repositories, raw }: Ground): Promise<Line[]> {
  const meeting = await seedMeeting(raw, { name: "create", people: 101, routers: 3, consuming: false });
  const { meetingId, participantId, transportId, rows } = firstOf(meeting);
  const targets = new Map<string, { kind: string; consumerId: string }[]>();
  for (const [, , target = "", kind = "", consumerId = ""] of rows)
    targets.set(target, [...(targets.get(target) ?? []), { kind, consumerId }]);
  const after = () => raw.query("DELETE FROM participant_consumers WHERE participant_id = ?", [participantId]);
  const measured = await measureTogether(
    {
      ours: {
        run: () => repositories.media.createConsumers({ meetingId, participantId, transportId, targets }),
        after,
      },
      raw: { run: () => raw.query(INSERT, [rows]), after },
    },
    { rounds: 20, calls: 10 },
  );
  const ratio = ratioOf(measured.ours, measured.raw);
  return [
    {
      operation: `createConsumers, ${rows.length} rows`,
      ours: ms(medianOf(measured.ours)),
      other: `one INSERT: ${ms(medianOf(measured.raw))}`,
      ratio: times(ratio),
      bar: `≤ ${CREATE_BAR} ×`,
      passed: ratio <= CREATE_BAR,
    },
  ];
}

function firstOf(meeting: SeededMeeting) {
  const participantId = meeting.participantIds[0] as string;
  const rows = consumerRows(meeting, 0) as string[][];
  return { ...meeting, participantId, transportId: transportOf("receive", participantId), rows };
}

/** The people of each meeting; with all consuming all that makes about 1,000, 10,000 and 100,000 rows. */
const TABLES = [[23], [71], Array<number>(10).fill(71)] as const;

/** Ten consumers of one participant by their ids, from tables of three sizes. */
export async function compareCloseConsumers(grounds: readonly Ground[]): Promise<Line[]> {
  const tables: { ground: Ground; meeting: SeededMeeting; rows: number }[] = [];
  for (const [index, meetings] of TABLES.entries()) tables.push(await fillTable(grounds[index] as Ground, meetings));
  const ours = Object.fromEntries(tables.map((table, index) => [`ours${index}`, closing(table, "ours")]));
  const raw = Object.fromEntries(tables.map((table, index) => [`raw${index}`, closing(table, "raw")]));
  const measured = await measureTogether({ ...ours, ...raw }, { rounds: 30, calls: 10 });
  const smallest = measured.ours0 ?? [];
  return tables.map(({ rows }, index) => {
    const own = measured[`ours${index}`] ?? [];
    const growth = ratioOf(own, smallest);
    return {
      operation: `closeConsumers, 10 ids of ${rows} rows`,
      ours: ms(medianOf(own)),
      other: `one DELETE: ${ms(medianOf(measured[`raw${index}`] ?? []))}`,
      ratio: `${times(growth)} that of ${tables[0]?.rows} rows`,
      bar: `≤ ${CLOSE_BAR} ×`,
      passed: growth <= CLOSE_BAR,
    };
  });
}

async function fillTable(ground: Ground, meetings: readonly number[]) {
  let rows = 0;
  let meeting: SeededMeeting | undefined;
  for (const [index, people] of meetings.entries()) {
    meeting = await seedMeeting(ground.raw, { name: `close${index}`, people, routers: 3 });
    rows += people * (people - 1) * 2;
  }
  return { ground, meeting: meeting as SeededMeeting, rows };
}

function closing({ ground, meeting }: { ground: Ground; meeting: SeededMeeting }, by: "ours" | "raw") {
  const { meetingId, participantId, rows } = firstOf(meeting);
  const closed = rows.slice(0, 10);
  const consumerIds = closed.map((row) => row[4] as string);
  const { repositories, raw } = ground;
  return {
    run: () =>
      by === "ours"
        ? repositories.media.closeConsumers({ meetingId, participantId, consumerIds })
        : remove(raw, participantId, consumerIds),
    after: () => insert(raw, "participant_consumers", CONSUMER_COLUMNS, closed),
  };
}

function remove(raw: Pool, participantId: string, consumerIds: readonly string[]): Promise<unknown> {
  return raw.query(DELETE, [participantId, consumerIds]);
}
