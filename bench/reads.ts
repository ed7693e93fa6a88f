import type { Repositories } from "../src/mysql/repositories/index.js";
import { type Ground, replay } from "./ground.js";
import { measureTogether, medianOf, ratioOf } from "./measure.js";
import { KINDS, seedMeeting } from "./seed.js";
import { type Line, ms, times } from "./table.js";

const BAR = 1.25;

/** Each read against the same statements sent through the plain driver. */
export async function compareReads(ground: Ground): Promise<Line[]> {
  const { meetingId, participantIds } = await seedMeeting(ground.raw, { name: "reads", people: 100, routers: 3 });
  const [participantId = "", one = "", ...others] = participantIds;
  const targetsOf = (ids: readonly string[]) => new Map(ids.map((id) => [id, [...KINDS]]));
  const reads: Readonly<Record<string, (repositories: Repositories) => Promise<unknown>>> = {
    findHost: ({ meetings }) => meetings.findHost(meetingId),
    allocateRouters: ({ participants }) => participants.allocateRouters({ meetingId, participantId }),
    producerContext: ({ media }) => media.producerContext({ meetingId, participantId }),
    "consumerContext, 1 target": ({ media }) =>
      media.consumerContext({ meetingId, participantId, targets: targetsOf([one]) }),
    "consumerContext, 99 targets": ({ media }) =>
      media.consumerContext({ meetingId, participantId, targets: targetsOf([one, ...others]) }),
  };
  const lines: Line[] = [];
  for (const [name, read] of Object.entries(reads)) lines.push(await compareRead(ground, name, read));
  return lines;
}

async function compareRead(
  ground: Ground,
  name: string,
  read: (repositories: Repositories) => Promise<unknown>,
): Promise<Line> {
  const statements = await ground.record(read);
  const measured = await measureTogether(
    { ours: { run: () => read(ground.repositories) }, raw: { run: () => replay(ground.raw, statements) } },
    { rounds: 40, calls: 40 },
  );
  const ratio = ratioOf(measured.ours, measured.raw);
  return {
    operation: name,
    ours: ms(medianOf(measured.ours)),
    other: `same SQL (${statements.length}): ${ms(medianOf(measured.raw))}`,
    ratio: times(ratio),
    bar: `≤ ${BAR} ×`,
    passed: ratio <= BAR,
  };
}
