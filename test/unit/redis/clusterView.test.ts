import { expect } from "chai";
import { knownNodes, ownership, slotTable, uncoveredSlots } from "../../../src/redis/doctor/clusterView.js";
import type { Server } from "../../../src/redis/doctor/server.js";

/** A server that gives one answer. */
function answering(reply: unknown): Server {
  return { address: { host: "asked.example", port: 7000 }, ask: async () => reply } as unknown as Server;
}

const node = (id: string) => ({ host: "h", port: 1, id });

describe("What the doctor reads of a cluster", () => {
  it("tells the slots that no range covers, in whichever order the ranges come", () => {
    const range = (from: number, to: number) => ({ from, to, nodes: [node("a")] });
    expect(uncoveredSlots([])).to.deep.equal(["0-16383"]);
    expect(uncoveredSlots([range(0, 16_383)])).to.deep.equal([]);
    expect(uncoveredSlots([range(8_000, 16_382), range(1, 7_998)])).to.deep.equal(["0", "7999", "16383"]);
    expect(uncoveredSlots([range(0, 99), range(50, 60), range(200, 16_383)])).to.deep.equal(["100-199"]);
  });

  it("takes a node that does not know its address for the one that was asked", async () => {
    const nameless = [
      [null, 7001, "a"],
      ["", 7002, "b"],
      ["?", 7003, "c"],
      ["d.example", 7004, "d"],
    ];
    const [range] = await slotTable(answering([[0, 5, ...nameless]]));
    expect(range?.nodes.map(({ host }) => host)).to.deep.equal([...Array(3).fill("asked.example"), "d.example"]);
  });

  it("compares who has which slots, not in which order they are listed or which replicas there are", () => {
    const [a, b] = [
      { from: 0, to: 5, nodes: [node("a")] },
      { from: 6, to: 9, nodes: [node("b"), node("c")] },
    ];
    expect(ownership([b, a])).to.equal(ownership([a, { ...b, nodes: [node("b")] }]));
    expect(ownership([a, b])).not.to.equal(ownership([a, { ...b, nodes: [node("c")] }]));
  });

  it("reads CLUSTER NODES as each version writes it", async () => {
    const text = [
      "aa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-99 200 [300->-bb] [301-<-cc]",
      "bb 10.0.0.2:7000@17000,node-b.example slave,fail aa 0 0 1 disconnected",
      "cc :0@0 master,noaddr - 0 0 1 disconnected",
      "",
    ].join("\n");
    const [first, second, third] = await knownNodes(answering(text));
    expect(first).to.deep.include({ id: "aa", name: "10.0.0.1:7000", masterId: undefined, slots: 101 });
    expect(first?.moving).to.deep.equal([
      { slot: 300, direction: "to", otherId: "bb" },
      { slot: 301, direction: "from", otherId: "cc" },
    ]);
    expect(second).to.deep.include({ name: "10.0.0.2:7000", flags: ["slave", "fail"], masterId: "aa", slots: 0 });
    expect(third?.flags).to.deep.equal(["master", "noaddr"]);
  });
});
