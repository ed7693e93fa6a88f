import { expect } from "chai";
import stringWidth from "string-width";
import { fleetLines } from "../../../src/cli/fleetText.js";
import type { NodeOverview, WorkerOverview } from "../../../src/mysql/repositories/fleetOverview.js";

const ANY = { columns: undefined, rows: undefined, colours: false, workers: false };

const worker = (workerId: string, used: number): WorkerOverview => ({
  ...{ workerId, limit: 500, used, producers: used, consumers: 0, reserved: 0, meetings: used > 0 ? 1 : 0 },
});
const node = (containerId: string, changes: Partial<NodeOverview> = {}): NodeOverview => ({
  ...{ containerId, host: "10.0.0.1", tenant: "acme", heartbeatAgeMs: 2_500, alive: true, enabled: true },
  ...{ limit: 1_000, used: 420, producers: 100, consumers: 300, reserved: 20, meetings: 7 },
  workers: [worker(`${containerId}-w1`, 420), worker(`${containerId}-w2`, 0)],
  ...changes,
});
const of = (...nodes: NodeOverview[]) => ({
  nodes,
  total: nodes.length,
  alive: nodes.filter(({ alive }) => alive).length,
});
const line = (changes: Partial<NodeOverview>) => fleetLines(of(node("n", changes)), ANY)[1] as string;

describe("the fleet as a table", () => {
  it("has a line for each node and the sums at its foot", () => {
    const dead = node("node-2", {
      alive: false,
      heartbeatAgeMs: 300_000,
      used: 0,
      producers: 0,
      host: null,
      tenant: null,
    });
    expect(fleetLines(of(node("node-1"), dead), ANY)).to.deep.equal([
      "NODE     HOST      TENANT  STATE     WORKERS  LOAD             USED/LIMIT  PRODUCERS  CONSUMERS  RESERVED  MEETINGS",
      "node-1   10.0.0.1  acme    alive 2s        2  ####......  42%    420/1000        100        300        20         7",
      "node-2   -         -       dead 5m         2  ..........   0%      0/1000          0        300        20         7",
      "2 nodes                    1 alive         4  ##........  21%    420/2000        100        600        40        14",
    ]);
  });

  it("has the workers too where asked", () => {
    expect(fleetLines(of(node("n")), { ...ANY, workers: true }).slice(2, 4)).to.deep.equal([
      `${"  n-w1".padEnd(6 + 2 + 8 + 2 + 6 + 2 + 8 + 2 + 7 + 2)}########..  84%     420/500        420          0         0         1`,
      `${"  n-w2".padEnd(6 + 2 + 8 + 2 + 6 + 2 + 8 + 2 + 7 + 2)}..........   0%       0/500          0          0         0         0`,
    ]);
  });

  it("draws loads as bars: a little is seen, above the limit is full and told", () => {
    expect(line({ used: 1 })).to.include(" #.........   0% ");
    expect(line({ used: 999 })).to.include(" #########.  99% ");
    expect(line({ used: 1_000 })).to.include(" ########## 100% ");
    expect(line({ used: 2_345 })).to.include(" ########## 234% ");
    expect(line({ used: 5, limit: 0 })).to.match(/ - +5\/0 /);
  });

  it("tells how old a heartbeat is, and what is wrong with it", () => {
    const states: readonly [Partial<NodeOverview>, string][] = [
      [{ heartbeatAgeMs: 0 }, "alive 0s"],
      [{ heartbeatAgeMs: -900 }, "alive 0s"],
      [{ enabled: false }, "off 2s"],
      [{ alive: false, heartbeatAgeMs: 119_999 }, "dead 119s"],
      [{ alive: false, heartbeatAgeMs: 120_000 }, "dead 2m"],
      [{ alive: false, heartbeatAgeMs: 7_200_000 }, "dead 2h"],
      [{ alive: false, heartbeatAgeMs: 172_800_000 }, "dead 2d"],
      [{ alive: false, heartbeatAgeMs: -20_000 }, "ahead 20s"],
      [{ alive: false, heartbeatAgeMs: null }, "dead, never"],
    ];
    for (const [changes, state] of states) expect(line(changes)).to.include(` ${state} `);
  });

  it("colours what is full, dead or off, where there are colours", () => {
    const coloured = (changes: Partial<NodeOverview>) =>
      fleetLines(of(node("n", changes)), { ...ANY, colours: true })[1];
    expect(coloured({ used: 699 })).to.include("\u001b[32m######....  69%");
    expect(coloured({ used: 700 })).to.include("\u001b[33m#######...  70%");
    expect(coloured({ used: 900 })).to.include("\u001b[31m#########.  90%");
    expect(coloured({ alive: false })).to.include("\u001b[31mdead 2s");
    expect(coloured({ enabled: false })).to.include("\u001b[33moff 2s");
  });

  it("leaves out what there is no room for, the least important first, and is never wider than the terminal", () => {
    const long = of(
      node("ip-10-0-0-1-1732312345-日本語日本語", { host: "a-very-long-host.example.com", tenant: "टेनेंट" }),
    );
    const titles = (columns: number) => {
      const lines = fleetLines(long, { ...ANY, columns, workers: true });
      for (const each of lines) expect(stringWidth(each)).to.be.at.most(columns);
      return lines[0]?.split(/ +/);
    };
    expect(titles(140)).to.have.length(11);
    expect(titles(100)).to.deep.equal(
      "NODE TENANT STATE LOAD USED/LIMIT PRODUCERS CONSUMERS RESERVED MEETINGS".split(" "),
    );
    expect(titles(60)).to.deep.equal("NODE STATE LOAD USED/LIMIT MEETINGS".split(" "));
    expect(titles(40)).to.deep.equal("NODE STATE LOAD".split(" "));
    for (const columns of [30, 10, 1]) titles(columns);
  });

  it("keeps wide ids and numbers in their columns", () => {
    const lines = fleetLines(of(node("日本"), node("👍🏽👍🏽"), node("e\u0301abc")), ANY);
    const before = lines.map((each) => stringWidth(each.slice(0, each.search(/HOST|10\.0\.0\.1|3 alive/))));
    expect(new Set(before.slice(0, 4))).to.deep.equal(new Set([9]));
    expect(new Set(lines.map((each) => stringWidth(each))).size).to.equal(1);
  });

  it("cannot drive the terminal, whatever a node calls itself", () => {
    const nasty = "\u001b[2J\u009b\n";
    const lines = fleetLines(of(node(nasty, { host: nasty, tenant: nasty, workers: [worker(nasty, 1)] })), {
      ...ANY,
      workers: true,
    });
    for (const each of lines) expect(each).to.not.match(/\p{Cc}/u);
  });

  it("fits a window, and says how many more there are and what shows them", () => {
    const nodes = Array.from({ length: 8 }, (_, n) => node(`n${n}`));
    const more = (rows: number | undefined, workers = false) => {
      const lines = fleetLines({ nodes, total: 12, alive: 9 }, { ...ANY, rows, workers });
      expect(lines.length).to.be.at.most(rows ?? Number.POSITIVE_INFINITY);
      return [lines.length, lines.at(-1)];
    };
    expect(more(undefined)).to.deep.equal([11, "and 4 more; of all 12, 9 are alive (--limit shows more)"]);
    expect(more(10)).to.deep.equal([10, "and 5 more; of all 12, 9 are alive (a taller window shows more)"]);
    expect(more(10, true)).to.deep.equal([9, "and 10 more; of all 12, 9 are alive (a taller window shows more)"]);
    expect(more(4, true)).to.deep.equal([4, "and 11 more; of all 12, 9 are alive (a taller window shows more)"]);
    expect(fleetLines(of(...nodes), ANY).at(-1)).to.match(/^8 nodes /);
  });

  it("of no node at all is its titles and sums", () => {
    expect(fleetLines(of(), { ...ANY, columns: 40 })).to.deep.equal([
      "NODE     STATE    LOAD  USED/LIMIT",
      "0 nodes  0 alive  -            0/0",
    ]);
  });
});
