import { expect } from "chai";
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
  const calls: Record<string, (options: CallOptions) => Promise<unknown>> = {
    publish: (options) => opened.signals.publish(joined("m", "r"), options),
    publishMany: (options) => opened.signals.publishMany([joined("m", "r")], options),
    close: (options) => opened.signals.close("m", options),
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
});
