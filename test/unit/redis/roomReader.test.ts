import { expect } from "chai";
import type { Occasion } from "../../../src/redis/following/room.js";
import { isBefore } from "../../../src/redis/signals/gap.js";
import { RecentIds } from "../../../src/redis/signals/recentIds.js";
import { type RoomOptions, RoomReader } from "../../../src/redis/signals/roomReader.js";

type Entry = [id: string, pairs: string[]];

/** A stream with just what a reader asks of one; it begins to fail when told to. */
class FakeStream {
  readonly entries: Entry[] = [];
  readonly counts: number[] = [];
  added: number | undefined = 0;
  failing = false;

  add(...ids: string[]): void {
    for (const id of ids) this.entries.push([id, ["n", id]]);
    if (this.added !== undefined) this.added += ids.length;
  }

  readonly ask = async (command: string, args: readonly (string | number)[]): Promise<unknown> => {
    if (this.failing) throw new Error("Connection is closed.");
    return command === "XINFO" ? this.#info() : this.#range(args.map(String));
  };

  #info(): unknown {
    const lastId = this.entries.at(-1)?.[0] ?? "0-0";
    const deleted = ["max-deleted-entry-id", "0-0"];
    const added = this.added === undefined ? [] : ["entries-added", this.added, ...deleted];
    return [
      "length",
      this.entries.length,
      "last-generated-id",
      lastId,
      ...added,
      "first-entry",
      this.entries[0] ?? null,
    ];
  }

  #range([, from = "", , , count = "1000"]: string[]): Entry[] {
    this.counts.push(Number(count));
    const exclusive = from.startsWith("(");
    const start = exclusive ? from.slice(1) : from;
    const behind = ([id]: Entry) => (exclusive ? isBefore(start, id) : !isBefore(id, start));
    return this.entries.filter(behind).slice(0, Number(count));
  }
}

function readerOf(options: Partial<RoomOptions> = {}) {
  let asked = 0;
  const reader = new RoomReader({
    meetingId: "m",
    from: "start",
    recipientId: undefined,
    dedupeWindow: 0,
    bufferSize: 10,
    onEvents: () => undefined,
    onRoom: () => {
      asked += 1;
    },
    ...options,
  });
  const taken = () => {
    const events: string[] = [];
    for (let event = reader.take(); event; event = reader.take())
      events.push(event.kind === "resync" ? `${event.reason} ${event.cursor}` : event.entryId);
    return events;
  };
  return { reader, taken, roomAskedFor: () => asked };
}

const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`);

describe("A meeting's cursor", () => {
  it("reads no more than its buffer holds, and nothing while it is full", async () => {
    const stream = new FakeStream();
    stream.add(...ids(1, 30));
    const { reader, roomAskedFor } = readerOf();
    while (await reader.read(stream.ask, "resumed"));
    expect(reader.pending).to.equal(10);
    expect(Math.max(...stream.counts), "one more than fit: the cursor's own entry").to.be.at.most(11);
    const reads = stream.counts.length;
    for (const occasion of ["announced", "sweep", "resumed"] as Occasion[])
      expect(await reader.read(stream.ask, occasion)).to.equal(false);
    expect(stream.counts).to.have.length(reads);
    for (let i = 0; i < 4; i += 1) reader.take();
    expect(roomAskedFor()).to.equal(0);
    reader.take();
    expect(roomAskedFor(), "once half of it is free").to.equal(1);
  });

  it("holds about a megabyte of large entries, and reads small ones by the hundred", async () => {
    const stream = new FakeStream();
    const large = "x".repeat(262_144);
    stream.add(...ids(1, 400));
    for (const [, pairs] of stream.entries.slice(0, 30)) pairs.push("large", large);
    const { reader } = readerOf({ bufferSize: 1_000 });
    while (await reader.read(stream.ask, "resumed"));
    expect(reader.pending).to.be.within(4, 8);
    while (reader.pending > 0) {
      reader.take();
      await reader.read(stream.ask, "resumed");
    }
    expect(Math.max(...stream.counts)).to.equal(101);
  });

  it("asks for the end of the stream once, however often reading fails afterwards", async () => {
    const stream = new FakeStream();
    stream.add("1-0", "2-0");
    const { reader, taken } = readerOf({ from: "now" });
    expect(await reader.read(stream.ask, "resumed")).to.equal(true);
    await reader.started;
    stream.failing = true;
    stream.add("3-0");
    const failure = await reader.read(stream.ask, "announced").catch((error: Error) => error.message);
    expect(failure).to.equal("Connection is closed.");
    stream.failing = false;
    await reader.read(stream.ask, "resumed");
    expect(taken()).to.deep.equal(["3-0"]);
  });

  it("finds with a sweep what was not announced, and leaves reading it to the next call", async () => {
    const stream = new FakeStream();
    const { reader, taken } = readerOf({ from: "now" });
    await reader.read(stream.ask, "resumed");
    expect(await reader.read(stream.ask, "sweep")).to.equal(false);
    stream.add("1-0");
    expect(await reader.read(stream.ask, "sweep")).to.equal(true);
    expect(taken()).to.deep.equal([]);
    await reader.read(stream.ask, "resumed");
    expect(taken()).to.deep.equal(["1-0"]);
  });

  for (const added of [0, undefined])
    describe(added === undefined ? "on Redis 6.2" : "on Redis 7 and later", () => {
      const streamOf = (...entryIds: string[]) => {
        const stream = new FakeStream();
        stream.added = added;
        stream.add(...entryIds);
        return stream;
      };

      it("tells a trimmed stream, then reads what is left", async () => {
        const stream = streamOf(...ids(1, 5));
        const { reader, taken } = readerOf({ from: "2-0" });
        stream.entries.splice(0, 3);
        await reader.read(stream.ask, "resumed");
        expect(taken()).to.deep.equal(["trimmed 2-0", "4-0", "5-0"]);
      });

      it("calls a stream whole that was trimmed before the cursor only", async () => {
        const stream = streamOf(...ids(1, 5));
        const { reader, taken } = readerOf({ from: "3-0" });
        stream.entries.splice(0, 2);
        await reader.read(stream.ask, "resumed");
        expect(taken()).to.deep.equal(["4-0", "5-0"]);
      });

      it("goes back to an entry it has read where the stream has lost its tail", async () => {
        const stream = streamOf(...ids(1, 3));
        const { reader, taken } = readerOf();
        await reader.read(stream.ask, "resumed");
        await reader.read(stream.ask, "sweep");
        stream.add("4-0", "5-0");
        await reader.read(stream.ask, "sweep");
        await reader.read(stream.ask, "resumed");
        taken();
        stream.entries.splice(3);
        while (await reader.read(stream.ask, "resumed"));
        expect(taken()).to.deep.equal(["lost 3-0"]);
        stream.add("4-5");
        await reader.read(stream.ask, "announced");
        expect(taken()).to.deep.equal(["4-5"]);
      });
    });

  it("tells a stream that began anew with higher ids", async () => {
    const stream = new FakeStream();
    stream.add("1-0", "2-0");
    const { reader, taken } = readerOf();
    await reader.read(stream.ask, "resumed");
    taken();
    stream.entries.splice(0);
    stream.added = 0;
    stream.add("7-0");
    await reader.read(stream.ask, "announced");
    expect(taken()).to.deep.equal(["lost 2-0", "7-0"]);
  });

  it("misses nothing that a successor without the stream's tail has added before the cursor, by a clock that is behind", async () => {
    const stream = new FakeStream();
    stream.add(...ids(1, 3));
    const { reader, taken } = readerOf({ from: "2-0" });
    stream.add("7-0");
    await reader.read(stream.ask, "resumed");
    expect(taken()).to.deep.equal(["3-0", "7-0"]);
    stream.entries.splice(3);
    stream.add("5-0", "8-0");
    while (await reader.read(stream.ask, "resumed"));
    expect(taken()).to.deep.equal(["lost 2-0", "3-0", "5-0", "8-0"]);
  });

  it("takes an entry id that never was for where to begin", async () => {
    const stream = new FakeStream();
    stream.add("1-0", "3-0");
    const { reader, taken } = readerOf({ from: "2-0" });
    await reader.read(stream.ask, "resumed");
    expect(taken()).to.deep.equal(["3-0"]);
  });

  it("repeats nothing from before it began where the stream has lost its tail", async () => {
    const stream = new FakeStream();
    stream.add(...ids(1, 3));
    const { reader, taken } = readerOf({ from: "now" });
    await reader.read(stream.ask, "resumed");
    stream.add("4-0", "5-0");
    await reader.read(stream.ask, "announced");
    stream.entries.splice(4);
    while (await reader.read(stream.ask, "resumed"));
    expect(taken()).to.deep.equal(["4-0", "5-0", "lost 3-0", "4-0"]);
  });

  it("tells that an empty stream was filled and trimmed before the first read", async () => {
    const stream = new FakeStream();
    const { reader, taken } = readerOf({ from: "now" });
    await reader.read(stream.ask, "resumed");
    stream.add(...ids(1, 5));
    stream.entries.splice(0, 2);
    await reader.read(stream.ask, "announced");
    expect(taken()).to.deep.equal(["trimmed 0-0", "3-0", "4-0", "5-0"]);
  });
});

describe("Recent ids", () => {
  it("remembers as many as told, the latest", () => {
    const recent = new RecentIds(2);
    const seen = ["a", "b", "a", "c", "b", "a"].map((id) => recent.seen(id));
    expect(seen).to.deep.equal([false, false, true, false, true, false]);
  });
});

describe("Entry ids", () => {
  it("compare as numbers", () => {
    expect(isBefore("9-0", "10-0")).to.equal(true);
    expect(isBefore("10-9", "10-10")).to.equal(true);
    expect(isBefore("10-10", "10-10")).to.equal(false);
    expect(isBefore("18446744073709551615-1", "18446744073709551615-0")).to.equal(false);
  });
});
