import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { expect } from "chai";
import { openSocket } from "../../../src/doctor/network.js";
import { QueryError } from "../../../src/errors.js";
import { shownBy } from "../../../src/mysql/doctor/startTls.js";

/** A greeting of protocol 10 by a server without TLS. */
const GREETING = Buffer.concat([
  Buffer.from([10]),
  Buffer.from("8.0.0\0"),
  Buffer.alloc(13),
  Buffer.from([0xff, 0xf7, 45, 2, 0, 0, 0]),
]);

describe("starting TLS in MySQL's protocol", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function failure(...chunks: readonly Buffer[]): Promise<unknown> {
    server = createServer(async (socket) => {
      socket.on("error", () => undefined);
      socket.setNoDelay(true);
      for (const chunk of chunks) await new Promise((written) => socket.write(chunk, written));
      if (chunks.length === 0) socket.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { signal } = new AbortController();
    const socket = await openSocket({ host: "127.0.0.1", port: (server.address() as AddressInfo).port }, signal);
    return shownBy(socket, { host: "127.0.0.1", authority: undefined, signal }).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  const packet = (payload: Buffer) => Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);

  it("says that a server offers none, however its greeting comes in pieces", async () => {
    const bytes = packet(GREETING);
    for (const chunks of [[bytes], [bytes.subarray(0, 2), bytes.subarray(2, 9), bytes.subarray(9)]])
      expect(await failure(...chunks))
        .to.be.instanceOf(QueryError)
        .with.property("message", "The server offers no TLS");
  });

  it("tells what is no MySQL, what turns away and what hangs up", async () => {
    expect(await failure(Buffer.from("+OK hello, I am something else\r\n"))).to.have.property(
      "message",
      "What answers there does not greet as MySQL does",
    );
    expect(await failure(packet(Buffer.from([0xff, 0x10, 0x04]))))
      .to.have.property("message")
      .that.includes("turned the connection away");
    expect(await failure())
      .to.have.property("message")
      .that.includes("before it greeted");
  });
});
