import { expect } from "chai";
import * as fc from "fast-check";
import { DataError } from "../../../../src/errors.js";
import { createRepositories, type Repositories } from "../../../../src/mysql/repositories/index.js";
import { freshId } from "./fuzzedIds.js";
import { Meetings, PARTICIPANT_TABLES } from "./meetingRows.js";

const FUZZED = 10_000;
const CALLERS = 8;
const IDS = ["Theirs", "thêirs", "o'brien", "back\\slash", "__proto__"];
const TABLES = [
  ...PARTICIPANT_TABLES,
  ...["meeting_status", "router_meeting", "router_worker", "worker_container", "container_heartbeat"],
  ...["container_status", "worker_load", "container_load", "placement_reservation"],
];

/** Every operation that names one meeting or one media node, given an id that none of them has. */
const OPERATIONS: readonly ((repositories: Repositories, id: string) => Promise<unknown>)[] = [
  ({ meetings }, id) => meetings.exists(id),
  ({ meetings }, id) => meetings.findHost(id),
  ({ meetings }, id) => meetings.findContainerId(id),
  ({ meetings }, id) => meetings.describe(id),
  ({ meetings }, id) => meetings.configurationOf(id),
  ({ meetings }, id) => meetings.end(id),
  ({ meetings }, id) =>
    meetings.replace({ meetingId: id, fromContainerId: "node-1", toContainerId: "node-1", routers: [] }),
  ({ meetings }, id) => meetings.create({ meetingId: `new`, containerId: id, routers: [] }),
  ({ fleet }, id) => fleet.recordHeartbeat(id),
  ({ fleet }, id) => fleet.removeContainer(id),
  ({ fleet }, id) => fleet.setStatus(id, false),
  ({ fleet }, id) => fleet.release(id),
  ({ fleet }, id) => fleet.confirm(id),
  ({ fleet }, id) => fleet.findReplacement({ tenant: "tenant", forContainerId: id }),
  ({ fleet }, id) => fleet.listContainers({ tenant: id }),
  ({ fleet }, id) => fleet.findStaleContainers({ tenant: id }),
  ({ fleet }, id) => fleet.overview({ tenant: id }),
];

describe("fleet and meetings, whatever ids they are given", function () {
  this.timeout(180_000);
  const meetings = new Meetings();

  before(async () => {
    await meetings.open();
    for (const id of IDS) {
      await meetings.create(id);
      await meetings.enter(id, `${id}'s`, ["audio"]);
    }
  });
  after(() => meetings.close());

  it(`find nothing and change nothing for ${FUZZED} ids that are nobody's`, async () => {
    const repositories = createRepositories(meetings.database);
    const before = await contents();
    const ids = fc.sample(freshId(new Set(IDS)), { numRuns: FUZZED, seed: 6 });
    const answers = new Set<string>();
    let next = 0;
    const caller = async () => {
      for (let n = next++; n < FUZZED; n = next++) {
        const operation = OPERATIONS[n % OPERATIONS.length] as (typeof OPERATIONS)[number];
        answers.add(await operation(repositories, ids[n] as string).then(JSON.stringify, codeOf));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    expect(
      [...answers].filter((answer) => IDS.some((id) => answer.includes(JSON.stringify(id).slice(1, -1)))),
    ).to.deep.equal([]);
    expect(answers).to.include.keys("false", '"not-found"', "ErrMeetingNotFound");
    expect(await contents()).to.deep.equal(before);
  });

  async function contents(): Promise<Record<string, string[]>> {
    const tables: Record<string, string[]> = {};
    for (const table of TABLES) tables[table] = (await meetings.rows(table)).map((row) => JSON.stringify(row)).sort();
    return tables;
  }
});

/** Refusals are answers; a statement that failed is not. */
function codeOf(error: unknown): string {
  if (error instanceof DataError && error.code !== "ErrQuery") return error.code;
  throw error;
}
