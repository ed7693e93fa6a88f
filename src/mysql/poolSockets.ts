import { connect, type Socket } from "node:net";
import type { MysqlConfig } from "../config/types.js";
import { outsideOfCallers } from "../telemetry/outsideOfCallers.js";

/** The sockets of a pool, ours, so that those still connecting can be closed too. */
export class PoolSockets {
  readonly all = new Set<Socket>();

  constructor(
    private readonly address: MysqlConfig["address"],
    private readonly told: { readonly onOpening: () => void; readonly onClosed: () => void },
  ) {}

  open(): Socket {
    this.told.onOpening();
    const socket = outsideOfCallers(() => this.#connect());
    // For an address without a name Node would check the certificate for "localhost": mysql2 passes on no host, only this.
    if ("host" in this.address) Object.assign(socket, { _host: this.address.host });
    this.all.add(socket);
    socket.once("close", () => {
      this.all.delete(socket);
      this.told.onClosed();
    });
    return socket;
  }

  #connect(): Socket {
    const keptAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 };
    const { address } = this;
    return "socketPath" in address ? connect(address.socketPath) : connect({ ...address, ...keptAlive });
  }
}
