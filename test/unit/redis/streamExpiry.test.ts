import { expect } from "chai";
import { NotStoredError, PublishUnknownError } from "../../../src/errors.js";
import type { RedisClient, SendOptions } from "../../../src/redis/client.js";
import { StreamExpiry } from "../../../src/redis/streamExpiry.js";

/** Renews once with these replies and tells how many attempts were made and what was warned of. */
async function renew(push: Promise<unknown>, replies: (number | Error)[]) {
  push.catch(() => undefined);
  const sent: SendOptions[] = [];
  const warnings: string[] = [];
  const client = {
    send: async (_command: string, _args: unknown, options: SendOptions) => {
      sent.push(options);
      const reply = replies.shift() ?? 1;
      if (reply instanceof Error) throw reply;
      return reply;
    },
  } as unknown as RedisClient;
  const silent = () => undefined;
  const warn = (_fields: object, message: string) => void warnings.push(message);
  const expiry = new StreamExpiry(client, { debug: silent, info: silent, error: silent, warn });
  expiry.renew("s", 1_000, push);
  await new Promise(setImmediate);
  return { attempts: sent.map(({ attempts }) => attempts), warnings };
}

describe("A stream's expiry", () => {
  const lost = new Error("the connection is closed");

  it("costs one PEXPIRE when that works", async () => {
    expect(await renew(Promise.resolve("1-0"), [1])).to.deep.equal({ attempts: ["once"], warnings: [] });
  });

  it("is set again when PEXPIRE came before the entry", async () => {
    expect((await renew(Promise.resolve("1-0"), [0])).attempts).to.deep.equal(["once", undefined]);
  });

  it("is set again when PEXPIRE failed, also if the entry may be stored", async () => {
    expect((await renew(Promise.resolve("1-0"), [lost])).attempts).to.have.length(2);
    expect((await renew(Promise.reject(new PublishUnknownError("x")), [lost])).attempts).to.have.length(2);
  });

  it("is left alone when nothing was stored", async () => {
    const result = await renew(Promise.reject(new NotStoredError("x")), [lost]);
    expect(result).to.deep.equal({ attempts: ["once"], warnings: [] });
  });

  it("is warned of when it cannot be set, and fails nobody", async () => {
    const { warnings } = await renew(Promise.resolve("1-0"), [lost, lost]);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/expiry could not be set.*the connection is closed/);
  });
});
