import { expect } from "chai";
import type { Ask } from "../../../src/redis/following/room.js";
import {
  acknowledgedUpTo,
  claimIdle,
  groupsOf,
  justBefore,
  takeAgain,
  takeNew,
} from "../../../src/redis/signals/groups/groupCommands.js";

const MEMBER = { stream: "room-stream:m", group: "g", consumer: "c" };

/** Answers each command with what is given for it. */
function answering(replies: Readonly<Record<string, unknown>>): Ask {
  return async (command) => replies[command];
}

/** Replies as each version of Redis words them; the servers of the other tests are of one version only. */
describe("The commands of consumer groups", () => {
  it("claim alike before Redis 7, which does not tell what it has removed, and after", async () => {
    const old = ["5-0", ["1-0", "2-0"]];
    for (const reply of [old, [...old, ["3-0"]]])
      expect(await claimIdle(answering({ XAUTOCLAIM: reply }), MEMBER, 1_000, "0-0", 10)).to.deep.equal({
        next: "5-0",
        claimed: 2,
      });
  });

  it("take what is new, and nothing", async () => {
    const some = answering({ XREADGROUP: [["room-stream:m", [["1-0", ["f", "v"]]]]] });
    expect(await takeNew(some, MEMBER, 10)).to.have.nested.property("[0].deliveries", 1);
    expect(await takeNew(answering({ XREADGROUP: null }), MEMBER, 10)).to.deep.equal([]);
  });

  it("take again with the count of deliveries, an entry that is deleted too", async () => {
    const again = (pairs: unknown, pending: unknown[]) =>
      takeAgain(answering({ XREADGROUP: [["room-stream:m", [["1-0", pairs]]]], XPENDING: pending }), MEMBER);
    expect(await again(["f", "v"], [["1-0", "c", 3, 4]])).to.deep.include({
      id: "1-0",
      pairs: ["f", "v"],
      deliveries: 4,
    });
    expect(await again(null, [["1-0", "c", 3, 4]])).to.deep.include({ pairs: null });
    expect(await takeAgain(answering({ XREADGROUP: [["room-stream:m", []]] }), MEMBER)).to.equal(undefined);
  });

  it("read a group's state with lag, with none and without the word", async () => {
    const group = ["name", "g", "consumers", 1, "pending", 2, "last-delivered-id", "9-1"];
    const seven = ["entries-read", 7, "lag"];
    for (const [reply, lag] of [
      [group, undefined],
      [[...group, ...seven, null], undefined],
      [[...group, ...seven, 3], 3],
    ] as const)
      expect(await groupsOf(answering({ XINFO: [reply] }), MEMBER.stream)).to.deep.equal([
        { name: "g", consumers: 1, pending: 2, lastDeliveredId: "9-1", lag },
      ]);
  });

  it("know up to where all is acknowledged", async () => {
    const upTo = (oldest: string | null) =>
      acknowledgedUpTo(
        answering({ XINFO: [["name", "g", "last-delivered-id", "9-1"]], XPENDING: [oldest ? 1 : 0, oldest] }),
        MEMBER,
      );
    expect(await upTo(null)).to.equal("9-1");
    expect(await upTo("7-2")).to.equal("7-1");
    // Given and not acknowledged since the group was asked.
    expect(await upTo("9-2")).to.equal("9-1");
    expect(await acknowledgedUpTo(answering({ XINFO: [], XPENDING: [0, null] }), MEMBER)).to.equal(undefined);
  });

  it("count ids backwards", () => {
    expect(["5-3", "5-0", "0-1", "0-0"].map(justBefore)).to.deep.equal(["5-2", "4-18446744073709551615", "0-0", "0-0"]);
  });
});
