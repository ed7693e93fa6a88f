import { expect } from "chai";
import { withSnapshot } from "../../../src/container/snapshot.js";
import type { CallOptions } from "../../../src/redis/streamWriter.js";
import { type RedisServer, startRedisServer } from "../../../src/testing/index.js";
import { type Opened, openClient, redisConfig, rejection } from "./openClient.js";
import { joined } from "./signalLoad.js";

describe("The options of signals' calls", () => {
  let server: RedisServer;
  let opened: Opened;

  before(async () => {
    server = await startRedisServer();
    opened = await openClient(redisConfig("single", [server]));
  });

  after(async () => {
    await opened?.client.close(0);
    await server?.stop();
  });

  const consuming = { group: "g", consumer: "c", meetingIds: "m", handler: () => undefined };
  const unreachable = () => Promise.reject(new Error("The cursor comes first"));
  const calls: Record<string, (options: CallOptions) => Promise<unknown>> = {
    publish: (options) => opened.signals.publish(joined("m", "r"), options),
    publishMany: (options) => opened.signals.publishMany([joined("m", "r")], options),
    close: (options) => opened.signals.close("m", options),
    lag: (options) => opened.signals.lag("m", options),
    cursor: (options) => opened.signals.cursor("m", options),
    snapshot: (options) => withSnapshot(opened.signals, { describe: unreachable }).snapshot("m", options),
    subscribe: (options) => opened.signals.subscribe("m", options),
    consume: (options) => opened.signals.consume(options && { ...consuming, ...options }),
  };

  for (const [name, call] of Object.entries(calls))
    it(`${name}: refuses null, a signal that is none and a timeout that is none, before anything is sent`, async () => {
      expect(await rejection(call(null as never))).to.include({ code: "ErrInvalidInput", argument: "options" });
      for (const signal of [null, "abort", {}, new AbortController(), new EventTarget()])
        expect(await rejection(call({ signal: signal as never }))).to.include({ argument: "options.signal" });
      for (const timeoutMs of [0, -1, Number.NaN, "5", null])
        expect(await rejection(call({ timeoutMs: timeoutMs as never }))).to.include({ argument: "options.timeoutMs" });
      expect(Number(await server.call("DBSIZE"))).to.equal(0);
    });

  for (const name of ["lag", "cursor", "snapshot"])
    it(`${name}: ends at its deadline, and with its signal`, async () => {
      const call = calls[name] as (options: CallOptions) => Promise<unknown>;
      await server.pause();
      try {
        expect(await rejection(call({ timeoutMs: 100 }))).to.include({ code: "ErrDeadlineExceeded" });
        const controller = new AbortController();
        const waiting = rejection(call({ signal: controller.signal }));
        controller.abort();
        expect(await waiting).to.include({ code: "ErrAborted" });
      } finally {
        await server.resume();
      }
    });
});
