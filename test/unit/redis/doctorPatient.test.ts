import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { expect } from "chai";
import { RedisPatient } from "../../../src/redis/doctor/index.js";

const REPLICAS = 200;
const MASTERS = 100;

/** One slot range with 200 replicas, and 99 more masters; at all of these addresses nobody listens. */
function slotsReply(): string {
  const node = (host: string) => `*3\r\n$${host.length}\r\n${host}\r\n:1\r\n$1\r\nx\r\n`;
  const replicas = Array.from({ length: REPLICAS }, (_, i) => node(`127.0.2.${i + 1}`)).join("");
  const first = `*${3 + REPLICAS}\r\n:0\r\n:0\r\n${node("127.0.1.1")}${replicas}`;
  const others = Array.from(
    { length: MASTERS - 1 },
    (_, i) => `*3\r\n:${i + 1}\r\n:${i + 1}\r\n${node(`127.0.1.${i + 2}`)}`,
  );
  return `*${MASTERS}\r\n${first}${others.join("")}`;
}

describe("whom the doctor visits", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it("is bounded in a big cluster, masters first", async () => {
    server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (data) => {
        for (const command of data.toString().split(/(?=\*\d+\r\n)/))
          socket.write(/slots/i.test(command) ? slotsReply() : "+PONG\r\n");
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const addresses = `127.0.0.1:${port}`;
    const patient = new RedisPatient({
      environment: { REDIS_CLUSTER_MODE_ON: "true", REDIS_CLUSTER_ADDRESSES: addresses },
    });
    const announced = (await patient.visits()).filter(({ configured }) => !configured);
    await patient.close();
    expect(announced).to.have.length(192);
    expect(patient.leftOut).to.equal(MASTERS + REPLICAS - announced.length);
    expect(announced.slice(0, MASTERS).some(({ isReplica }) => isReplica)).to.equal(false);
    expect(announced.slice(MASTERS).every(({ isReplica }) => isReplica)).to.equal(true);
    expect(announced.every(({ error }) => error?.message.includes("ECONNREFUSED"))).to.equal(true);
  });
});
