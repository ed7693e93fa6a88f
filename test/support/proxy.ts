import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** How many clients are connected. */
  readonly connections: number;
  /** Passes nothing on in either direction; connections stay open and new ones are accepted. */
  freeze(): void;
  thaw(): void;
  /** Resets every connection; new ones are accepted. */
  cutAll(): void;
  /**
   * Waits for client bytes that `matches` (as Latin-1 text of one chunk), lets them through, drops what the server
   * answers from then on, and cuts that connection once the server's answer is there: the request was carried out
   * and its reply is lost. Resolves at the cut; happens once.
   */
  cutAfterRequest(matches: (request: string) => boolean): Promise<void>;
  /** Cuts all connections and stops listening. */
  stop(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Set once the server's next answer is to be dropped. */
  cut: (() => void) | undefined;
}

/** A TCP proxy on a free loopback port, for faults that no signal to a process can make. */
export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const traps = new Set<{ matches: (request: string) => boolean; done: () => void }>();
  let frozen = false;

  const listener = createServer((client) => {
    const pair: Pair = { client, server: connect(target), cut: undefined };
    pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true);
      // The other side is told by closing it too; the reason does not matter here.
      socket.on("error", () => undefined);
      socket.on("close", () => closePair(pair));
      if (frozen) socket.pause();
    }
    client.on("data", (data) => {
      springTrap(pair, data);
      pair.server.write(data);
    });
    pair.server.on("data", (data) => {
      if (pair.cut) pair.cut();
      else client.write(data);
    });
  });

  const springTrap = (pair: Pair, data: Buffer) => {
    const request = data.toString("latin1");
    const trap = [...traps].find(({ matches }) => matches(request));
    if (!trap) return;
    traps.delete(trap);
    pair.cut = () => {
      reset(pair);
      trap.done();
    };
  };
  const closePair = (pair: Pair) => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  };
  const reset = (pair: Pair) => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.destroy();
  };
  const sockets = () => [...pairs].flatMap(({ client, server }) => [client, server]);

  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    host: "127.0.0.1",
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    freeze: () => {
      frozen = true;
      for (const socket of sockets()) socket.pause();
    },
    thaw: () => {
      frozen = false;
      for (const socket of sockets()) socket.resume();
    },
    cutAll: () => [...pairs].forEach(reset),
    cutAfterRequest: (matches) => new Promise((resolve) => traps.add({ matches, done: resolve })),
    stop: async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      [...pairs].forEach(reset);
      await closed;
    },
  };
}
