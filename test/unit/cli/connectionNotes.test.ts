import { expect } from "chai";
import { ConnectionNotes } from "../../../src/cli/connectionNotes.js";

function taking() {
  const told: string[] = [];
  const notes = new ConnectionNotes({
    lost: (message) => told.push(`lost: ${message}`),
    back: (message) => told.push(`back: ${message}`),
    warn: (message) => told.push(`warn: ${message}`),
  });
  const [lost, ready] = [() => notes.warn({ event: "redis.lost" }, "…"), () => notes.info({ event: "redis.ready" })];
  return { notes, told, lost, ready, failed: (reason: string) => notes.warn({ event: "redis.error" }, reason) };
}

const LOST = "lost: Redis is not connected; trying again. What is published meanwhile follows when it is back";
const BACK = "back: Redis is connected again";

describe("what is told of the connection", () => {
  it("nothing of the start, whose failure is told by itself", () => {
    const { told, lost, ready, failed } = taking();
    ready();
    failed("ECONNREFUSED");
    lost();
    expect(told).to.deep.equal([]);
  });

  it("once that it is lost, each reason, and once that it is back, however many connections say so", () => {
    const { notes, told, lost, ready, failed } = taking();
    notes.begin();
    for (let connection = 0; connection < 3; connection += 1) lost();
    for (const reason of ["ECONNREFUSED", "ECONNREFUSED", "WRONGPASS", "ECONNREFUSED"]) failed(reason);
    for (let connection = 0; connection < 3; connection += 1) ready();
    lost();
    failed("WRONGPASS");
    ready();
    const still = (reason: string) => `lost: Redis is still not connected: ${reason}`;
    expect(told).to.deep.equal([LOST, still("ECONNREFUSED"), still("WRONGPASS"), BACK, LOST, still("WRONGPASS"), BACK]);
  });

  it("nothing of another node's trouble while the meetings are followed", () => {
    const { notes, told, ready, failed } = taking();
    notes.begin();
    failed("ECONNREFUSED");
    ready();
    expect(told).to.deep.equal([]);
  });

  it("each warning once, the server's silence in words for an onlooker, and a bounded number of them", () => {
    const { notes, told } = taking();
    for (let round = 0; round < 2; round += 1) {
      notes.warn({ event: "redis.notifications", node: "a" }, "… (REDIS_FOLLOW_ENABLE_NOTIFICATIONS is false)");
      notes.error({ event: "redis.follow" }, "cannot be read");
    }
    expect(told).to.have.length(2);
    expect(told[0])
      .to.match(/^warn: Redis does not announce new entries/)
      .and.not.include("REDIS_FOLLOW");
    expect(told[1]).to.equal("warn: cannot be read");
    for (let n = 0; n < 1_000; n += 1) notes.warn({ event: "redis.follow" }, `cannot be read ${n}`);
    expect(told).to.have.length(100);
  });
});
